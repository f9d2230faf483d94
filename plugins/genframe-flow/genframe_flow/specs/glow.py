"""Spec of Glow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import DecoderSpec, Mismatch, Real, Space, Spaces, at, conditional_if, traits
from genframe.traits import Bijective, DataDependent, TraitSet
from genframe_nets import IsotropicDecoder, MLPDecoder

from .base import FlowSpec, continuous, fits_coupling
from .elementwise import LogScale
from .multiscale import code_sizes, entries, squeezed

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Glow"]

FOR_VECTORS: Final = MLPDecoder(hidden=(256, 256), activation="relu", zero=True)
FOR_IMAGES: Final = IsotropicDecoder(channels=128, zero=True)


class Glow(FlowSpec):
    """Steps of actnorm, an invertible 1×1 convolution and an affine coupling, at several scales. Kingma & Dhariwal 2018.

    Each scale begins with blocks of 2×2 positions becoming channels; at the end of each but the last, half of the channels
    leaves. For data of 1, 2 or 3 spatial axes; vectors have one scale without blocks, and a matrix for the convolution.
    Actnorm takes its first state from data.
    """

    type: Literal["flow/glow"] = "flow/glow"

    scales: PositiveInt = Field(default=1, description="how many scales (L); each halves the axes. Vectors have one")
    steps: PositiveInt = Field(default=8, description="steps of each scale (K)")
    scale: LogScale = Field(
        default="tanh",
        description="how the network's value u gives the scale: exp(bound · tanh(u / bound)); exp(u) if exp; sigmoid(u + 2) if "
        "sigmoid, as the paper's code, whose inverse has no bound",
    )
    bound: PositiveFloat = Field(
        default=2.0, description="largest logarithm of a scale, where scale is tanh, and of those of a learned split"
    )
    learned_split: bool = Field(
        default=True,
        description="normalise the half that leaves by a mean and a scale which a convolution of the half that stays gives",
    )
    network: DecoderSpec | None = Field(
        default=None,
        description="the network that gives u and the shift; none takes nets/isotropic for images and nets/mlp (256, 256) for "
        "vectors, both starting at zero",
    )

    def conditioner(self, data: Real) -> DecoderSpec:
        """Return the network of each coupling."""
        return self.network or (FOR_VECTORS if len(data.shape) == 1 else FOR_IMAGES)

    @property
    def provides(self) -> TraitSet:
        """Provide the class's traits; read the condition if the network does."""
        return traits(Bijective, DataDependent) | conditional_if(self.network or FOR_IMAGES)

    def ends(self, data: Real) -> list[Real]:
        """Return the space at the end of each scale, before half of the channels leaves.

        :raises Mismatch: where the data have no such scales.
        """
        if len(data.shape) > 1:
            return [squeezed(entry) for entry in entries(data, self.scales, self.scales, self.type)]
        if not data.shape:
            raise Mismatch(f"{self.type} mixes the entries of the first axis, found {data}")
        if self.scales > 1:
            with at("scales"):
                raise Mismatch(f"vectors have one scale, found {data}", "leave 'scales' out")
        return [Real(data.shape)]

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        space = continuous(data, self.type)
        for end in self.ends(space):
            fits_coupling(end, 2, self.conditioner(space), self.type)
        return Real((space.dims,))

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return how many values leave each scale."""
        return code_sizes(self.ends(continuous(data, self.type)))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..glow import glow

        return glow(self, continuous(spaces.data, self.type), spaces.context)
