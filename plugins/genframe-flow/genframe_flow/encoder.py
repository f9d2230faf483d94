"""Bijections as encoders, alone and one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from genframe import Context, Encoder, Unsupported
from genframe.types import Bijective, DataDependent

from .bijection import Bijection
from .chain import Chain
from .choices import Memory

__all__ = ["EncoderBijection", "FlowEncoder", "Joined", "SequenceEncoder", "level_sizes"]


class FlowEncoder(Encoder):
    """Data through a bijection to their latents; the same object is the encoder and, by its inverse, the decoder.

    :param flow: the bijection.

    >>> from genframe_flow import LogitMap
    >>> encoder = FlowEncoder(LogitMap(0, 1))
    >>> latent, log_det = encoder.forward_and_log_det(torch.tensor([[0.5, 0.5]]))
    >>> latent.tolist(), encoder.inverse(latent).tolist()
    ([[0.0, 0.0]], [[0.5, 0.5]])
    """

    def __init__(self, flow: Bijection) -> None:
        super().__init__()
        self.flow = flow

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """The sizes of the levels of the latent, from fine to coarse; empty where there is one level."""
        return self.flow.level_sizes

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent: (B, data) -> (B, latent)."""
        latent: Tensor = self.flow(x, context)[0]
        return latent

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the latent and log |det dz/dx| (B,) in nats."""
        latent, log_det = self.flow(x, context)
        return latent, log_det.expand(len(x))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the data of each latent: (B, latent) -> (B, data)."""
        return self.flow.inverse(latent, context)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Take the first state from training data, where a layer has one."""
        self.flow.initialise(x, context)


def level_sizes(encoder: Encoder | None, dims: int) -> tuple[int, ...]:
    """Return the sizes of the levels of the encoder's codes of ``dims`` values, from fine to coarse; one level by default."""
    sizes: tuple[int, ...] = getattr(encoder, "level_sizes", ())
    return sizes or (dims,)


class EncoderBijection(Bijection):
    """Any encoder with Bijective as a layer.

    :raises Unsupported: if the encoder has no inverse.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        if not isinstance(encoder, Bijective):
            raise Unsupported(f"a sequence of flows needs encoders with Bijective, found {type(encoder).__name__}")
        self.encoder = encoder
        self.level_sizes = getattr(encoder, "level_sizes", ())

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the encoder's latent and log-determinant."""
        return self.encoder.forward_and_log_det(x, context)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the encoder's inverse."""
        return self.encoder.inverse(y, context)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Let the encoder take its first state, where it has one."""
        if isinstance(self.encoder, DataDependent):
            self.encoder.initialise(x, context)
        return super().initialise(x, context)


class Joined(Chain):
    """A chain of flows; with constant memory their layers are recomputed one by one, whatever chains they are in."""

    def __init__(self, flows: Sequence[Bijection], memory: Memory = "ordinary") -> None:
        super().__init__(flows, memory)
        self.layer_by_layer = memory == "constant"

    @property
    def flows(self) -> Sequence[Bijection]:
        """The flows in the order from data to latent."""
        return super().bijections

    @property
    def bijections(self) -> Sequence[Bijection]:
        """The flows, or all layers of all flows."""
        return [layer for flow in self.flows for layer in _layers(flow)] if self.layer_by_layer else self.flows


def _layers(flow: Bijection) -> Iterator[Bijection]:
    if isinstance(flow, Chain):
        for layer in flow.bijections:
            yield from _layers(layer)
    else:
        yield flow


class SequenceEncoder(FlowEncoder):
    """Encoders that are one to one, one after another. Rezende & Mohamed 2015, eq. 6.

    :param encoders: from data to latent; each has Bijective.
    :param first_states: which of them take a first state from data; all unless given.
    :param sizes: the sizes of the levels of the latent, from fine to coarse; those of the last encoder unless given.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.
    :raises Unsupported: if an encoder has no inverse.

    >>> from genframe_flow import LogitMap, nsf
    >>> _ = torch.manual_seed(0)
    >>> encoder = SequenceEncoder([FlowEncoder(LogitMap(0, 1)), nsf(2, hidden=(16,)).encoder])
    >>> x = torch.rand(5, 2)
    >>> latent, log_det = encoder.forward_and_log_det(x)
    >>> latent.shape, bool(torch.allclose(encoder.inverse(latent), x, atol=1e-5))
    (torch.Size([5, 2]), True)
    """

    flow: Joined

    def __init__(
        self,
        encoders: Sequence[Encoder],
        first_states: Sequence[bool] | None = None,
        sizes: tuple[int, ...] | None = None,
        memory: Memory = "ordinary",
    ) -> None:
        flows = [encoder.flow if isinstance(encoder, FlowEncoder) else EncoderBijection(encoder) for encoder in encoders]
        super().__init__(Joined(flows, memory))
        self.first_states = tuple(first_states) if first_states is not None else (True,) * len(flows)
        if sizes is not None:
            self.flow.level_sizes = sizes

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Let one flow after another take its state from what those before it make of the data, no further than needed."""
        wanted = max((number for number, first in enumerate(self.first_states, 1) if first), default=0)
        for flow in self.flow.flows[:wanted]:
            x = flow.initialise(x, None if context is None else context[: len(x)])
