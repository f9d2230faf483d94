"""Specs of flows made of couplings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import DecoderSpec, Mismatch, Real, Space, Spaces, at, conditional_if, traits
from genframe.traits import Bijective, DataDependent, TraitSet
from genframe_nets import IsotropicDecoder, MLPDecoder

from .base import FlowSpec, continuous, fits_coupling, parameter_space
from .elementwise import LogScale
from .multiscale import code_sizes, entries, squeezed

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["CouplingFlow", "Nice", "Order", "RealNvp", "VectorCouplings"]

Order: TypeAlias = Literal["halves", "even_odd", "shuffled", "linear"]
FOR_VECTORS: Final = MLPDecoder(hidden=(256, 256), activation="relu", zero=True)
FOR_IMAGES: Final = IsotropicDecoder(residual=True, channels=64, blocks=2, zero=True)
OF_VECTORS: Final = ("couplings", "order")
OF_IMAGES: Final = ("checkerboards", "channelwise")


class VectorCouplings(FlowSpec):
    """How many couplings of vectors there are, and what they divide."""

    couplings: PositiveInt = Field(default=8, description="how many couplings")
    order: Order = Field(
        default="halves",
        description="what each coupling divides: the halves, or the even and odd entries, in turns; or halves after a fixed "
        "random order or a learned matrix",
    )


class CouplingFlow(VectorCouplings):
    """Couplings of vectors; data of other shapes are flattened."""

    network: DecoderSpec

    @property
    def provides(self) -> TraitSet:
        """Provide the class's traits; read the condition if the network does."""
        return traits(Bijective) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        return _halved_vectors(continuous(data, self.type), self.count(), self.network, self.type)

    def count(self) -> int:
        """Return how many parameters the network gives for each value that changes."""
        raise NotImplementedError(f"{type(self).__name__}.count")


def _halved_vectors(data: Real, count: int, network: DecoderSpec, who: str) -> Real:
    """Return the space of flattened ``data`` if ``network`` can give ``count`` parameters for each value of one half.

    :raises Mismatch: otherwise, or where there is one value only.
    """
    if data.dims < 2:
        raise Mismatch(f"{who} splits values in two halves, found {data}", "use flow/maf, which needs no two parts")
    fits_coupling(Real((data.dims,)), count, network, who)
    return Real((data.dims,))


class Nice(CouplingFlow):
    """Additive couplings in turns, then a diagonal scaling. Dinh et al. 2014, sec. 3. The paper's prior is flow/logistic.

    The scaling starts from the data's deviations (the paper's starts at one, and takes long to get there).
    """

    type: Literal["flow/nice"] = "flow/nice"

    couplings: PositiveInt = Field(default=4, description="how many couplings")
    network: DecoderSpec = Field(
        default=MLPDecoder(hidden=(256, 256), activation="relu", zero=True), description="the network that gives the shift"
    )

    @property
    def provides(self) -> TraitSet:
        """Provide DataDependent too, for the scaling starts from data."""
        return super().provides | traits(DataDependent)

    def count(self) -> int:
        """Return 1, the shift."""
        return 1

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..flows import nice

        return nice(self, continuous(spaces.data, self.type), spaces.context)


class RealNvp(VectorCouplings):
    """Affine couplings in turns: of vectors, or with ``scales`` of images. Dinh et al. 2017, sec. 3.

    With scales, each has couplings of the fields of a checkerboard; then, but for the last, blocks of 2×2 positions become
    channels, there are couplings of halves of these, and half of them leaves (sec. 3.6). A learned normalisation of each
    channel (actnorm, Kingma & Dhariwal 2018, sec. 3.1) before each coupling takes the place of the paper's batch normalisation,
    so that a datum's likelihood does not depend on its batch.
    """

    type: Literal["flow/realnvp"] = "flow/realnvp"

    scales: PositiveInt | None = Field(
        default=None, description="number of scales of the form for images; none flattens data to vectors"
    )
    checkerboards: PositiveInt = Field(
        default=3, description="checkerboard couplings of each scale; the last has one more; only with scales"
    )
    channelwise: PositiveInt = Field(
        default=3, description="channel-wise couplings of each scale but the last; only with scales"
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
        strangers, mend = (OF_IMAGES, "give 'scales' too") if self.scales is None else (OF_VECTORS, "leave 'scales' out")
        for name in strangers:
            if getattr(self, name) != type(self).model_fields[name].default:
                form = "images" if self.scales is None else "vectors"
                raise ValueError(f"{name!r} is of the form for {form}; leave it out, or {mend}")
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
            return _halved_vectors(space, 2, self.conditioner, self.type)
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
        *inner, last = entries(continuous(data, self.type), self.scales, self.scales - 1, self.type)
        return code_sizes([*map(squeezed, inner), last])

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..realnvp import realnvp

        return realnvp(self, continuous(spaces.data, self.type), spaces.context)
