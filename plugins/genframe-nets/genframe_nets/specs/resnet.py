"""Specs of the residual network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from genframe import Spaces, require_real, traits
from genframe.traits import Conditional, Layered, TraitSet

from ..grids import spatial
from .spatial import SpatialDecoder, SpatialEncoder

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["ResNet", "ResNetDecoder"]


class ResNet(SpatialEncoder):
    """Pre-activation residual blocks with group normalisation, behind a strided convolution a stage. He et al. 2016, fig. 1b.

    For data of 1, 2 or 3 spatial axes. A context scales and shifts the channels of each stage (FiLM, Perez et al. 2018).
    The last convolution of each block starts at zero, so that a block starts as the identity (Goyal et al. 2017, section 5.1);
    other weights by He et al. 2015, section 2.2: N(0, 1 / (fan-in · E[f²])), f the activation before the layer.
    """

    type: Literal["nets/resnet"] = "nets/resnet"
    provides: ClassVar[TraitSet] = traits(Conditional, Layered)

    blocks: PositiveInt = Field(default=2, description="residual blocks of each stage")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..resnet import ResidualEncoder

        return ResidualEncoder(self, spatial(spaces.data, self.type), spaces.context)


class ResNetDecoder(SpatialDecoder):
    """Pre-activation residual blocks and transposed convolutions: the mirror of nets/resnet. He et al. 2016, fig. 1b.

    Transposed convolutions have kernel 4, stride 2 and are cropped to the data's exact size. Context and first weights as in
    the encoder. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/resnet"] = "nets/resnet"

    blocks: PositiveInt = Field(default=2, description="residual blocks of each stage")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..resnet import ResidualDecoder

        return ResidualDecoder(self, require_real(spaces.latent, self.type), spatial(spaces.data, self.type), spaces.context)
