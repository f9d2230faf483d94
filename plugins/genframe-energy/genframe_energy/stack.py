"""A stack of Boltzmann machines as an encoder, and the way back as a decoder."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, Decoder, Encoder, LossOutput, Real, Unsupported, into_space

from .divergence import energies_of
from .rbm import LinearMachine, RestrictedBoltzmannMachine
from .traits import Stacked

if TYPE_CHECKING:
    from .specs import Stack

__all__ = ["StackEncoder", "UnstackedDecoder"]


class StackEncoder(Encoder):
    """Machines of which each has the hidden units of the one below as visible ones."""

    def __init__(self, spec: Stack, data: Real) -> None:
        super().__init__()
        self.spec, self.data = spec, data
        bits = [Real((size,), 0, 1, levels=2) for size in (data.dims, *spec.hidden)]
        layers = [RestrictedBoltzmannMachine(spec.machine(above.dims), below) for below, above in pairwise(bits)]
        if spec.dim is not None:
            layers.append(LinearMachine(spec.machine(spec.dim), bits[-1]))
        for layer in layers:
            nn.init.xavier_normal_(layer.weight)
        self.layers = nn.ModuleList(layers)

    @property
    def machines(self) -> list[RestrictedBoltzmannMachine]:
        """The layers, the lowest first."""
        return [cast(RestrictedBoltzmannMachine, layer) for layer in self.layers]

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean activities of the top layer, each layer's computed from the means below: (B, data) -> (B, D)."""
        v = self._visible(x)
        for machine in self.machines:
            v = machine.hidden_mean(v)
        return v

    def codes(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the linear units, or bits drawn with the top layer's probabilities: (B, data) -> (B, D)."""
        latent = self.encode(x, context)
        return latent if self.spec.dim is not None else torch.rand_like(latent).lt(latent).to(latent.dtype)

    def code(self, latent: Tensor) -> Tensor:
        """Return the linear units, or the likelier bits: (B, D) -> (B, D)."""
        return latent if self.spec.dim is not None else latent.round()

    def objective(self, x: Tensor, context: Context | None = None) -> LossOutput:
        """Return the sum of the layers' contrastive divergences, each of the means that the layer below gives."""
        v, total, metrics = self._visible(x), torch.zeros((), device=x.device), {}
        for number, machine in enumerate(self.machines, 1):
            chains = self._walked(machine, v)
            of_data, of_chains = energies_of(machine, v, chains)
            total = total + of_data - of_chains + 0.5 * self.spec.weight_decay * machine.weight.square().sum()
            metrics[f"reconstruction_error/{number}"] = (v - chains).square().sum(1).mean()
            v = machine.hidden_mean(v).detach()
        return LossOutput(total, metrics)

    @torch.no_grad()
    def _walked(self, machine: RestrictedBoltzmannMachine, v: Tensor) -> Tensor:
        """Return means after k transitions from means, the hidden units drawn at each (Hinton 2012, sec. 3): (B, V)."""
        for _ in range(self.spec.k):
            v = machine.visible_mean(machine.draw_hidden(v, None))
        return v

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Set each layer's visible biases from the means that the layers below give."""
        v = self._visible(x)
        for machine in self.machines:
            machine.initialise(v)
            v = machine.hidden_mean(v)

    def downward(self) -> list[tuple[Tensor, Tensor]]:
        """Return weights (below, above) and visible biases, the top layer's first."""
        return [(machine.weight, machine.visible_bias) for machine in reversed(self.machines)]

    def _visible(self, x: Tensor) -> Tensor:
        """Return data as probabilities: (B, data) -> (B, V)."""
        low, high = cast(float, self.data.low), cast(float, self.data.high)
        return (x.flatten(1) - low) / (high - low)


class UnstackedDecoder(Decoder):
    """sigmoid(W1 sigmoid(W2 ... (Wn z + bn)) + b1): a stack's layers backwards, its own or as a copy to begin with."""

    def __init__(self, data: Real, encoder: Encoder | None, *, tied: bool) -> None:
        super().__init__()
        self._encoder = (_stacked(encoder),)  # in a tuple, so that torch does not register it a second time
        self.data = data
        theirs = [] if tied else self._encoder[0].downward()
        self.layers = nn.ModuleList(_layer(weight) for weight, _ in theirs)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Take the stack's weights as they are."""
        for layer, theirs in zip(self.downward(), self._encoder[0].downward(), strict=True):
            for own, their in zip(layer, theirs, strict=True):
                own.copy_(their)

    def downward(self) -> list[tuple[Tensor, Tensor]]:
        """Return the weights (below, above) and biases of its own layers, the top first."""
        return [(layer.weight, layer.bias) for layer in cast("list[nn.Linear]", list(self.layers))]

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the data's means, each layer's computed from the means above: (B, D) -> (B, data)."""
        first, *others = self.downward() or self._encoder[0].downward()
        logits = F.linear(latent, *first)
        for layer in others:
            logits = F.linear(logits.sigmoid(), *layer)
        return into_space(logits.reshape(-1, *self.data.shape), self.data)


def _stacked(encoder: object) -> Stacked:
    if not isinstance(encoder, Stacked):
        raise Unsupported("energy/unstacked needs an encoder with Stacked, such as energy/stack")
    return encoder


def _layer(weight: Tensor) -> nn.Linear:
    """Return a layer down, from the units above to those below, with random weights (below, above)."""
    below, above = weight.shape
    layer = nn.Linear(above, below)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
