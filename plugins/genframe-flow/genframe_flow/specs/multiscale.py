"""Specs of flows of images at several scales, which take vectors too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import DecoderSpec, Real, Space, Spaces, at, conditional_if, traits
from genframe.types import Bijective, DataDependent, TraitSet
from genframe_nets import IsotropicDecoder, MLPDecoder

from ..choices import LogScale
from ..spaces import code_sizes, entries, glow_ends, parameter_space, realnvp_ends, squeezed
from .base import FlowSpec, continuous, fits_coupling, networks
from .coupling import VectorCouplings, halved_vectors

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Glow", "RealNvp"]

FOR_VECTORS: Final = MLPDecoder(hidden=(256, 256), activation="relu", zero=True)
FOR_IMAGES: Final = IsotropicDecoder(residual=True, channels=64, blocks=2, zero=True)
FOR_GLOW: Final = IsotropicDecoder(channels=128, zero=True)
OF_VECTORS: Final = ("couplings", "order")
OF_IMAGES: Final = ("checkerboards", "channelwise")


class RealNvp(VectorCouplings):
    """Affine couplings in turns: of vectors, or with ``scales`` of images. Dinh et al. 2017, sec. 3.

    Each scale has couplings of the fields of a checkerboard. In all scales but the last, blocks of 2×2 positions then become
    channels, couplings of halves of the channels follow, and half of the channels leaves (sec. 3.6). Before each coupling
    stands a learned normalisation of each channel (actnorm, Kingma & Dhariwal 2018, sec. 3.1) instead of the paper's batch
    normalisation, so that the likelihood of an example does not depend on its batch.
    """

    type: Literal["flow/realnvp"] = "flow/realnvp"

    scales: PositiveInt | None = Field(
        le=16, default=None, description="number of scales, for images; none flattens the data to vectors"
    )
    checkerboards: PositiveInt = Field(
        le=1000, default=3, description="checkerboard couplings of each scale; the last has one more; only with scales"
    )
    channelwise: PositiveInt = Field(
        le=1000, default=3, description="channel-wise couplings of each scale but the last; only with scales"
    )
    scale: LogScale = Field(default="tanh", description="how the network's value u gives the scale: exp(u) if exp, ...")
    bound: PositiveFloat = Field(default=3.0, description="largest logarithm of a scale, where scale is tanh")
    network: DecoderSpec | None = Field(
        default=None,
        description="the network that gives u and the shift; none takes nets/mlp (256, 256) for vectors and residual "
        "nets/isotropic for images, both starting at zero",
    )

    @model_validator(mode="after")
    def _of_one_form(self) -> RealNvp:
        strangers, hint = (OF_IMAGES, "give 'scales' too") if self.scales is None else (OF_VECTORS, "leave 'scales' out")
        for name in strangers:
            if getattr(self, name) != type(self).model_fields[name].default:
                form = "images" if self.scales is None else "vectors"
                raise ValueError(f"{name!r} is of the form for {form}; leave it out, or {hint}")
        return self

    @property
    def conditioner(self) -> DecoderSpec:
        """The network of each coupling."""
        return self.network or (FOR_VECTORS if self.scales is None else FOR_IMAGES)

    @property
    def provides(self) -> TraitSet:
        """Provide DataDependent where there is actnorm; read the condition if the network does."""
        dependent = traits() if self.scales is None else traits(DataDependent)
        return traits(Bijective) | dependent | conditional_if(self.conditioner)

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        space = continuous(data, self.type)
        if self.scales is None:
            return halved_vectors(space, 2, self.conditioner, self.type)
        *inner, last = entries(space, self.scales, self.scales - 1, self.type)
        for entry in (*inner, last):
            with at("network"):
                self.conditioner.accepts(Real(entry.shape), parameter_space(entry, 2))
        for entry in inner:
            fits_coupling(squeezed(entry), 2, self.conditioner, self.type)
        return Real((space.dims,))

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return how many values leave each scale."""
        if self.scales is None:
            return super().levels(data)
        return code_sizes(realnvp_ends(continuous(data, self.type), self.scales, self.type))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..elementwise import Affine
        from ..stacks import realnvp_stack

        affine = Affine(self.scale, self.bound)
        if self.scales is None:
            return self.stack(spaces, affine, self.conditioner)
        data, made = continuous(spaces.data, self.type), networks(self.conditioner, spaces)
        return realnvp_stack(data, affine, made, self.scales, self.checkerboards, self.channelwise, self.memory)


class Glow(FlowSpec):
    """Steps of actnorm, an invertible 1×1 convolution and an affine coupling, at several scales. Kingma & Dhariwal 2018.

    At the start of each scale, blocks of 2×2 positions become channels; at the end of each but the last, half of the channels
    leaves. For data of 1, 2 or 3 spatial axes; vectors have one scale without blocks, and a matrix instead of the convolution.
    Actnorm takes its first state from training data.
    """

    type: Literal["flow/glow"] = "flow/glow"

    scales: PositiveInt = Field(le=16, default=1, description="how many scales (L); each halves the axes. Vectors have one")
    steps: PositiveInt = Field(le=1000, default=8, description="steps of each scale (K)")
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
        return self.network or (FOR_VECTORS if len(data.shape) == 1 else FOR_GLOW)

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective and DataDependent; read the condition if the network does."""
        return traits(Bijective, DataDependent) | conditional_if(self.network or FOR_GLOW)

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        space = continuous(data, self.type)
        for end in glow_ends(space, self.scales, self.type):
            fits_coupling(end, 2, self.conditioner(space), self.type)
        return Real((space.dims,))

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return how many values leave each scale."""
        return code_sizes(glow_ends(continuous(data, self.type), self.scales, self.type))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..elementwise import Affine
        from ..stacks import glow_stack

        data, affine = continuous(spaces.data, self.type), Affine(self.scale, self.bound)
        made = networks(self.conditioner(data), spaces)
        return glow_stack(data, affine, made, self.scales, self.steps, self.memory, split=self.learned_split)
