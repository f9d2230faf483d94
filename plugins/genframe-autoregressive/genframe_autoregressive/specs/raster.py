"""Specs of the priors that go through an image pixel by pixel. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, field_validator

from genframe import Categorical, ContextSpace, Mismatch, Space, Spaces, at

from .base import AutoregressiveSpec, alphabet_size

if TYPE_CHECKING:
    from genframe import Encoder, Prior

__all__ = ["PixelCNN", "PixelRNN", "RasterSpec"]


class RasterSpec(AutoregressiveSpec):
    """A prior of images (H, W) or (C, H, W), row by row; abstract.

    A network sees the pixels before each one. The channels of a pixel follow each other in the output layers, each given the
    channels before it. Levels enter as numbers from -1 to 1, classes as learned vectors.
    """

    channels: PositiveInt = Field(default=64, description="features of each pixel")
    kernel: int = Field(default=3, ge=3, description="width of the layers' kernels, an odd number")
    first_kernel: int = Field(default=7, ge=3, description="width of the first layer's kernel, an odd number")
    mixture: PositiveInt | None = Field(
        default=None,
        description="mix so many discretised logistics, for data with many levels; a probability for each level if left out",
    )

    @field_validator("kernel", "first_kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"a kernel is centred on a pixel, so its width is odd, found {value}; say {value + 1}")
        return value

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept images of discrete values; a mixture is of values on a grid only."""
        alphabet_size(code, self.type)
        if len(code.shape) not in (2, 3):
            raise Mismatch(
                f"{self.type} needs (H, W) or (C, H, W), found {code}",
                "for other shapes use autoregressive/transformer or autoregressive/made",
            )
        if self.mixture is not None and isinstance(code, Categorical):
            with at("mixture"):
                raise Mismatch(f"a mixture of logistics is of values on a grid, found {code}", "leave 'mixture' out")


class PixelCNN(RasterSpec):
    """The gated PixelCNN: a vertical and a horizontal stack of convolutions without a blind spot. Van den Oord et al. 2016b.

    The context enters each gate by a linear map (eq. 4). The mixture is that of Salimans et al. 2017, section 2.1 and 2.2.
    """

    type: Literal["autoregressive/pixelcnn"] = "autoregressive/pixelcnn"

    layers: PositiveInt = Field(default=8, description="gated layers")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of each gate's outputs that training sets to zero")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..pixelcnn import PixelCNNPrior

        return PixelCNNPrior(self, spaces.code, spaces.context)


class PixelRNN(RasterSpec):
    """PixelRNN with row LSTMs: each row's state follows from the row above. Van den Oord et al. 2016a, section 3.1.

    A pixel sees a triangle of the rows above it, and its own row to the left.
    """

    type: Literal["autoregressive/pixelrnn"] = "autoregressive/pixelrnn"

    layers: PositiveInt = Field(default=2, description="row LSTMs")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..pixelrnn import PixelRNNPrior

        return PixelRNNPrior(self, spaces.code, spaces.context)
