"""Encoders that are one to one, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genframe import Context, ContextSpace, Encoder, Space
from genframe.traits import Bijective, DataDependent

from .bijection import Bijection
from .chain import Chain
from .encoder import FlowEncoder
from .specs.base import Memory

if TYPE_CHECKING:
    from .specs.sequence import FlowSequence

__all__ = ["EncoderBijection", "Joined", "SequenceEncoder", "sequence"]


class EncoderBijection(Bijection):
    """An encoder of another making as a bijection."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the encoder's latent and log-determinant."""
        return cast(Bijective, self.encoder).forward_and_log_det(x, context)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the encoder's inverse."""
        return cast(Bijective, self.encoder).inverse(y, context)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Let the encoder take its first state, where it has one."""
        if isinstance(self.encoder, DataDependent):
            self.encoder.initialise(x, context)
        return super().initialise(x, context)


class Joined(Chain):
    """A chain of flows; where memory is constant, their layers are taken out of any chains that they are in."""

    def __init__(self, flows: Sequence[Bijection], memory: Memory) -> None:
        super().__init__(flows, memory)
        self.layer_by_layer = memory == "constant"

    @property
    def bijections(self) -> Sequence[Bijection]:
        """The flows, or all layers of all flows."""
        return list(_layers(self)) if self.layer_by_layer else super().bijections


def _layers(flow: nn.Module) -> Iterator[Bijection]:
    if isinstance(flow, Chain):
        for layer in flow.layers:
            yield from _layers(layer)
    else:
        yield cast(Bijection, flow)


class SequenceEncoder(FlowEncoder):
    """Data through flows; ``first_states`` says which of them take a first state from data."""

    def __init__(self, flow: Joined, first_states: Sequence[bool], level_sizes: tuple[int, ...]) -> None:
        super().__init__(flow)
        self.first_states, self.level_sizes = tuple(first_states), level_sizes

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Let one flow after the other take its state from what those before it make of the data, no further than needed."""
        wanted = max((number for number, first in enumerate(self.first_states, 1) if first), default=0)
        for flow in cast("Iterator[Bijection]", cast(Joined, self.flow).layers[:wanted]):
            x = flow.initialise(x, None if context is None else context[: len(x)])


def sequence(spec: FlowSequence, data: Space, context: ContextSpace | None) -> Encoder:
    """Return the encoders one after another; flows give their bijection, so that errors name their layers."""
    encoders = [flow.build(flow.spaces(space, context)) for flow, space in zip(spec.flows, spec.stations(data), strict=False)]
    flows = [encoder.flow if isinstance(encoder, FlowEncoder) else EncoderBijection(encoder) for encoder in encoders]
    first_states = [DataDependent in flow.provides for flow in spec.flows]
    return SequenceEncoder(Joined(flows, spec.memory), first_states, spec.levels(data))
