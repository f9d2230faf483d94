"""What the specs of all flows share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from genframe import DecoderSpec, EncoderSpec, Mismatch, Real, Space, Spaces, at, require_real, traits
from genframe.types import Bijective, TraitSet

from ..choices import Memory
from ..spaces import parameter_space

if TYPE_CHECKING:
    from genframe import Networks

__all__ = ["FlowSpec", "continuous", "fits_coupling", "networks"]


def continuous(data: Space, who: str, *, rank: int | None = None) -> Real:
    """Return ``data`` if it is real and continuous (and has ``rank`` axes, where given).

    :raises Mismatch: otherwise: a density of values on a grid has no meaning.
    """
    return require_real(data, who, rank=rank, continuous=True)


class FlowSpec(EncoderSpec):
    """An encoder that is one to one, made of layers."""

    memory: Memory = Field(
        default="ordinary",
        description="constant: the backward pass finds activations by the inverse, so that memory does not grow with depth",
    )

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective."""
        return traits(Bijective)

    @model_validator(mode="after")
    def _draws_nothing(self) -> Self:
        network = getattr(self, "network", None)  # of flows whose layers ask one for their parameters
        if self.memory == "constant" and getattr(network, "dropout", False):
            raise ValueError(
                "memory: constant runs the network twice, and dropout would differ; set the network's 'dropout' to 0"
            )
        return self


def fits_coupling(data: Real, count: int, network: DecoderSpec, who: str) -> None:
    """Check that ``network`` can give ``count`` parameters for each value of one part of ``data`` from the other part.

    :raises Mismatch: if it cannot, or if there is only one entry to divide.
    """
    size, *axes = data.shape
    if size < 2:
        raise Mismatch(f"{who} splits the first axis in two, found {data}", "use a flow of vectors, or flow/maf")
    for passing in {size // 2, size - size // 2}:
        with at("network"):
            network.accepts(Real((passing, *axes)), parameter_space(Real((size - passing, *axes)), count))


def networks(network: DecoderSpec, spaces: Spaces) -> Networks:
    """Return what builds the network of each layer, which reads the context of ``spaces``."""
    return lambda source, target: network.build(spaces.between(source, target))
