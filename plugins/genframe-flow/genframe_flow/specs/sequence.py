"""Spec of flows one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genframe import EncoderSpec, Mismatch, Space, Spaces, at, conditional_if, traits
from genframe.traits import Bijective, DataDependent, TraitSet

from .base import FlowSpec

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["FlowSequence"]


class FlowSequence(FlowSpec):
    """Encoders that are one to one, one after another: preprocessing and flows of any plugin. Rezende & Mohamed 2015, eq. 6.

    Log-determinants add up. With constant memory the layers of all flows are treated as those of one; a flow of several scales
    among them is one layer, which keeps memory as it says itself.
    """

    type: Literal["flow/sequence"] = "flow/sequence"

    flows: tuple[EncoderSpec, ...] = Field(min_length=1, description="the encoders, from data to latent; each with Bijective")

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective; read the condition, and start from data, if any of the encoders does."""
        dependent = any(DataDependent in flow.provides for flow in self.flows)
        return traits(Bijective) | conditional_if(*self.flows) | (traits(DataDependent) if dependent else traits())

    def latent_space(self, data: Space) -> Space:
        """Return the latent space of the last encoder."""
        return self.stations(data)[-1]

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return the levels of the last encoder."""
        return self.flows[-1].levels(self.stations(data)[-2])

    def stations(self, data: Space) -> tuple[Space, ...]:
        """Return the data's space and the latent space of each encoder."""
        return (data, *self._latents(data))

    def _latents(self, space: Space) -> Iterator[Space]:
        for number, flow in enumerate(self.flows):
            with at("flows", str(number)):
                if Bijective not in flow.provides:
                    raise Mismatch(
                        f"{flow.type!r} maps {space} to features from which there is no way back",
                        "use encoders with Bijective: flows, their preprocessing, core/identity",
                    )
                space = flow.latent_space(space)
            yield space

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..sequence import sequence

        return sequence(self, spaces.data, spaces.context)
