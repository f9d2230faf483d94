"""Specs of the strided convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from genframe import Spaces, require_real, traits
from genframe.traits import Conditional, Layered, TraitSet

from ..grids import spatial
from .spatial import SpatialDecoder, SpatialEncoder

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["Conv", "ConvDecoder"]


class Conv(SpatialEncoder):
    """Strided convolutions for data of 1, 2 or 3 spatial axes: each stage has stride 2. LeCun et al. 1989.

    With kernel 5, ``leaky_relu_0.2``, norm ``batch`` but in the first stage, and ``dim: 1`` it is the critic of DCGAN
    (Radford et al. 2016, section 3). A context scales and shifts the channels of each stage (FiLM, Perez et al. 2018).
    Weights start by He et al. 2015, section 2.2: N(0, 1 / (fan-in · E[f²])), f the activation before the layer; biases start
    at zero.
    """

    type: Literal["nets/conv"] = "nets/conv"
    provides: ClassVar[TraitSet] = traits(Conditional, Layered)

    norm: Literal["none", "group", "batch"] = Field(default="none", description="normalisation before each activation")

    norm_first: bool = Field(default=True, description="normalise the first stage as well, next to the data")
    kernel: Literal[3, 5] = Field(default=3, description="size of the convolutions")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..conv import ConvolutionalEncoder

        return ConvolutionalEncoder(self, spatial(spaces.data, self.type), spaces.context)


class ConvDecoder(SpatialDecoder):
    """Transposed convolutions to data of 1, 2 or 3 spatial axes: the mirror of nets/conv. Radford et al. 2016.

    Each stage has kernel 4, stride 2 (a multiple of the stride, against checkerboards: Odena et al. 2016) and is cropped to
    the data's exact size. Context and first weights as in the encoder. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/conv"] = "nets/conv"

    norm: Literal["none", "group", "batch"] = Field(default="none", description="normalisation before each activation")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..conv import ConvolutionalDecoder

        return ConvolutionalDecoder(
            self, require_real(spaces.latent, self.type), spatial(spaces.data, self.type), spaces.context
        )
