"""Specs of flows made of couplings of vectors. They flatten data of other shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import DecoderSpec, Mismatch, Real, Space, Spaces, at, conditional_if, traits, vector_dims
from genframe.types import Bijective, DataDependent, TraitSet
from genframe_nets import MLPDecoder

from ..choices import Order
from .base import FlowSpec, continuous, fits_coupling, networks

if TYPE_CHECKING:
    from genframe import Encoder

    from ..elementwise import Elementwise
    from ..encoder import FlowEncoder

__all__ = ["Nice", "Spline"]


class VectorCouplings(FlowSpec):
    """How many couplings of vectors there are, and what they divide."""

    couplings: PositiveInt = Field(le=1000, default=8, description="how many couplings")
    order: Order = Field(
        default="halves",
        description="what each coupling divides: the halves, or the even and odd entries, in turns; or halves after a fixed "
        "random order or a learned matrix",
    )

    def stack(self, spaces: Spaces, elementwise: Elementwise, network: DecoderSpec, *, scaled: bool = False) -> FlowEncoder:
        """Build the couplings; ``scaled`` ends with a scale for each value."""
        from ..coupling import Coupling
        from ..stacks import vector_stack

        data, made = continuous(spaces.data, self.type), networks(network, spaces)
        return vector_stack(
            data,
            lambda flipped: Coupling(data.dims, elementwise, made, flipped=flipped),
            self.couplings,
            self.order,
            self.memory,
            scaled=scaled,
        )


class CouplingFlow(VectorCouplings):
    """Couplings of vectors whose parameters one network gives."""

    network: DecoderSpec

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective; read the condition if the network does."""
        return traits(Bijective) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        return halved_vectors(continuous(data, self.type), self.count(), self.network, self.type)

    def count(self) -> int:
        """Return how many parameters the network gives for each value that changes."""
        raise NotImplementedError(f"{type(self).__name__}.count")


def halved_vectors(data: Real, count: int, network: DecoderSpec, who: str) -> Real:
    """Return the space of flattened ``data`` if ``network`` can give ``count`` parameters for each value of one half.

    :raises Mismatch: if it cannot, or if there is only one value.
    """
    if data.dims < 2:
        raise Mismatch(f"{who} splits values in two halves, found {data}", "use flow/maf, which needs no two parts")
    fits_coupling(Real((data.dims,)), count, network, who)
    return Real((data.dims,))


class Nice(CouplingFlow):
    """Additive couplings in turns, then a diagonal scaling. Dinh et al. 2014, sec. 3. The paper's prior is flow/logistic.

    The scaling starts from the standard deviations of the data; the paper's starts at one, and takes long to get there.
    """

    type: Literal["flow/nice"] = "flow/nice"

    couplings: PositiveInt = Field(le=1000, default=4, description="how many couplings")
    network: DecoderSpec = Field(
        default=MLPDecoder(hidden=(256, 256), activation="relu", zero=True), description="the network that gives the shift"
    )

    @property
    def provides(self) -> TraitSet:
        """Provide DataDependent too: the scaling starts from data."""
        return super().provides | traits(DataDependent)

    def count(self) -> int:
        """Return 1, the shift."""
        return 1

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..elementwise import Additive

        return self.stack(spaces, Additive(), self.network, scaled=True)


class Spline(CouplingFlow):
    """Monotone rational-quadratic splines, in couplings or autoregressive. Durkan et al. 2019, sec. 3.

    Outside the bounds values stay as they are, so the data should have about unit deviation. Couplings are equally fast in both
    directions. An autoregressive layer draws a sample with as many passes of its network as there are values, and its network
    is nets/mlp with masked weights (Germain et al. 2015).
    """

    type: Literal["flow/spline"] = "flow/spline"

    layer: Literal["coupling", "autoregressive"] = Field(
        default="coupling", description="whether one half says how the other changes, or the values before say it of each value"
    )
    bins: int = Field(default=8, ge=2, lt=1000, description="bins of each spline")
    bound: PositiveFloat = Field(default=3.0, description="the splines lie between -bound and bound; the paper's is 3")
    order: Order = Field(
        default="linear",
        description="what each coupling divides, as in flow/realnvp; an autoregressive layer goes through the values as they "
        "are (halves) or even ones first (even_odd), forwards and backwards in turns, or after a fixed random order or a "
        "learned matrix, which is the paper's",
    )
    network: DecoderSpec = Field(
        default=MLPDecoder(hidden=(256, 256), activation="relu", zero=True),
        description="the network that gives widths, heights and derivatives",
    )

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        if self.layer == "coupling":
            return super().latent_space(data)
        dims = continuous(data, self.type).dims
        with at("network"):
            self.masked_network()
        return Real((dims,))

    def masked_network(self) -> MLPDecoder:
        """Return the network if its weights can be masked.

        :raises Mismatch: if they cannot.
        """
        network = self.network
        if not isinstance(network, MLPDecoder):
            raise Mismatch(f"an autoregressive spline masks nets/mlp, found {network.type}", "use nets/mlp, or layer: coupling")
        if network.norm != "none" or network.dropout or not network.hidden:
            raise Mismatch(
                "a masked network has hidden layers, no normalisation and no dropout", "leave norm and dropout out, set hidden"
            )
        return network

    def count(self) -> int:
        """Return widths and heights of the bins, and derivatives between them."""
        return 3 * self.bins - 1

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..autoregressive import Autoregressive
        from ..spline import RationalQuadratic
        from ..stacks import vector_stack

        elementwise = RationalQuadratic(self.bins, self.bound)
        if self.layer == "coupling":
            return self.stack(spaces, elementwise, self.network)
        data, network, context = continuous(spaces.data, self.type), self.masked_network(), vector_dims(spaces.context)

        def layer(flipped: bool) -> Autoregressive:
            return Autoregressive(
                data.dims, elementwise, network.hidden, network.activation, context, flipped=flipped, zero=network.zero
            )

        return vector_stack(data, layer, self.couplings, self.order, self.memory)
