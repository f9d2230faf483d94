"""What the specs of all flows share."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from genframe import DecoderSpec, EncoderSpec, Mismatch, Real, Space, at, require_real, traits
from genframe.traits import Bijective, TraitSet

__all__ = ["FlowSpec", "Memory", "continuous", "fits_coupling", "parameter_space"]

Memory: TypeAlias = Literal["ordinary", "constant"]


def continuous(data: Space, who: str, *, rank: int | None = None) -> Real:
    """Return ``data`` if it is real and continuous (and has ``rank`` axes, where given).

    :raises Mismatch: otherwise: a density of values on a grid has no meaning.
    """
    space = require_real(data, who, rank=rank)
    if space.discrete:
        raise Mismatch(f"{who} needs continuous values, found {space}", "set dequantise: true in the data")
    return space


class FlowSpec(EncoderSpec):
    """An encoder that is one to one, made of layers."""

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective."""
        return traits(Bijective)

    memory: Memory = Field(
        default="ordinary",
        description="constant: the backward pass finds activations by the inverse, so that memory does not grow with depth",
    )

    @model_validator(mode="after")
    def _draws_nothing(self) -> Self:
        network = getattr(self, "network", None)  # of flows whose layers ask one for their parameters
        if self.memory == "constant" and getattr(network, "dropout", False):
            raise ValueError(
                "memory: constant runs the network twice, and dropout would differ; set the network's 'dropout' to 0"
            )
        return self


def parameter_space(target: Real, count: int) -> Real:
    """Return the space of ``count`` parameters for each value of ``target``, stacked along its first axis."""
    return Real((count * target.shape[0], *target.shape[1:]))


def fits_coupling(data: Real, count: int, network: DecoderSpec, who: str) -> None:
    """Return if ``network`` can give ``count`` parameters for each value of one part of ``data`` from the other part.

    :raises Mismatch: otherwise, or where there is one entry only to be split.
    """
    size, *axes = data.shape
    if size < 2:
        raise Mismatch(f"{who} splits the first axis in two, found {data}", "use a flow of vectors, or flow/maf")
    for passing in {size // 2, size - size // 2}:
        with at("network"):
            network.accepts(Real((passing, *axes)), parameter_space(Real((size - passing, *axes)), count))
