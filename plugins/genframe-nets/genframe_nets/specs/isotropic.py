"""Spec of the convolutional network that keeps the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from genframe import ContextSpace, DecoderSpec, Mismatch, Space, Spaces, require_real, traits
from genframe.spaces import format_shape
from genframe.traits import Conditional, TraitSet

from ..activations import Activation
from ..grids import spatial
from .output import ZERO, require_real_data

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["IsotropicDecoder"]


class IsotropicDecoder(DecoderSpec):
    """Convolutions that keep the grid, from a latent to data of the same 1, 2 or 3 spatial axes. Sandler et al. 2019.

    By default it is the network of Glow's couplings, convolutions of kernel 3, 1 and 3 (Kingma & Dhariwal 2018), with
    ``blocks`` of those of kernel 1; ``residual`` has pre-activation residual blocks in their place (He et al. 2016, fig. 1b;
    Dinh et al. 2017, section 4.1). A context scales and shifts the hidden channels (FiLM, Perez et al. 2018). Bounded data
    come out of a sigmoid. Weights start as those of nets/conv and nets/resnet.
    """

    type: Literal["nets/isotropic"] = "nets/isotropic"
    provides: ClassVar[TraitSet] = traits(Conditional)

    channels: PositiveInt = Field(default=64, description="hidden channels")
    blocks: NonNegativeInt = Field(
        default=1, description="hidden depth: convolutions of kernel 1, or residual blocks, in the middle"
    )
    residual: bool = Field(default=False, description="residual blocks in the middle, of two convolutions of kernel 3 each")
    activation: Activation = Field(default="relu", description="the nonlinearity")
    norm: Literal["none", "group"] = Field(default="none", description="normalisation before each activation")
    zero: bool = Field(default=False, description=ZERO)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept latents and data of the same spatial axes, with any number of channels each."""
        latent = require_real(latent, self.type)
        axes = spatial(require_real_data(data, self.type), self.type).shape[1:]
        if latent.shape[1:] != axes:
            raise Mismatch(
                f"{self.type} keeps the grid: for data of {format_shape(axes)} it reads features of {format_shape(axes)}, "
                f"found {latent}",
                "use nets/conv or nets/resnet, which start from vectors and smaller grids, or nets/mlp",
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..isotropic import GridDecoder

        return GridDecoder(self, spatial(spaces.latent, self.type), spatial(spaces.data, self.type), spaces.context)
