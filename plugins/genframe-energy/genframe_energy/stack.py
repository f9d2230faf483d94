"""A stack of restricted Boltzmann machines as an encoder, and the way back as a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, Decoder, Encoder, LossOutput, Real, into_space

from .divergence import energies_of
from .rbm import LinearBoltzmannMachine, RestrictedBoltzmannMachine
from .traits import Stacked

__all__ = ["StackEncoder", "UnstackedDecoder"]


class StackEncoder(Encoder):
    """RBMs, each with the hidden units of the one below as its visible units. Hinton & Salakhutdinov 2006.

    :param data: a space with bounds; its values are read as probabilities of bits.
    :param hidden: sizes of the layers of hidden bits, from below.
    :param dim: linear units on top, N(., 1); without them the code is bits.
    :param k: transitions of each chain in a step of pretraining (CD-k).
    :param weight_decay: half of it times the squared weights is added in pretraining.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> stack = StackEncoder(Real((1, 8, 8), 0, 1), hidden=(32, 16), dim=2)
    >>> x = torch.rand(5, 1, 8, 8)
    >>> stack(x).shape, stack.objective(x).total.shape
    (torch.Size([5, 2]), torch.Size([]))
    """

    def __init__(
        self, data: Real, hidden: Sequence[int] = (128, 64), *, dim: int | None = None, k: int = 1, weight_decay: float = 0.0
    ) -> None:
        super().__init__()
        if data.low is None or data.high is None:
            raise ValueError(f"a stack reads values as probabilities of bits, and these have no bounds: {data}")
        self.low, self.range = data.low, data.high - data.low
        self.linear, self.k, self.weight_decay = dim is not None, k, weight_decay
        bits = [Real((size,), 0, 1, levels=2) for size in (data.dims, *hidden)]
        self.rbms = [RestrictedBoltzmannMachine(below, above.dims) for below, above in pairwise(bits)]  # the lowest first
        if dim is not None:
            self.rbms.append(LinearBoltzmannMachine(bits[-1], dim))
        for rbm in self.rbms:
            nn.init.xavier_normal_(rbm.weight)
        self.layers = nn.ModuleList(self.rbms)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean activities of the top layer, each layer's computed from the means below: (B, data) -> (B, D)."""
        v = self._visible(x)
        for rbm in self.rbms:
            v = rbm.hidden_mean(v)
        return v

    def codes(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the linear units, or bits drawn with the top layer's probabilities: (B, data) -> (B, D)."""
        latent = self.encode(x, context)
        return latent if self.linear else torch.rand_like(latent).lt(latent).to(latent.dtype)

    def code(self, latent: Tensor) -> Tensor:
        """Return the linear units, or the likelier bits: (B, D) -> (B, D)."""
        return latent if self.linear else latent.round()

    def objective(self, x: Tensor, context: Context | None = None) -> LossOutput:
        """Return the sum of the layers' contrastive divergences, each of the means that the layer below gives."""
        v, total, metrics = self._visible(x), torch.zeros((), device=x.device), {}
        for number, rbm in enumerate(self.rbms, 1):
            chains = self._walked(rbm, v)
            of_data, of_chains = energies_of(rbm, v, chains)
            total = total + of_data - of_chains + 0.5 * self.weight_decay * rbm.weight.square().sum()
            metrics[f"reconstruction_error/{number}"] = (v - chains).square().sum(1).mean()
            v = rbm.hidden_mean(v).detach()
        return LossOutput(total, metrics)

    @torch.no_grad()
    def _walked(self, rbm: RestrictedBoltzmannMachine, v: Tensor) -> Tensor:
        """Return means after k transitions from means, the hidden units drawn at each (Hinton 2012, sec. 3): (B, V)."""
        for _ in range(self.k):
            v = rbm.visible_mean(rbm.draw_hidden(v))
        return v

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Set each layer's visible biases from the means that the layers below give."""
        v = self._visible(x)
        for rbm in self.rbms:
            rbm.initialise(v)
            v = rbm.hidden_mean(v)

    def downward(self) -> list[tuple[Tensor, Tensor]]:
        """Return weights (below, above) and visible biases, the top layer's first."""
        return [(rbm.weight, rbm.visible_bias) for rbm in reversed(self.rbms)]

    def _visible(self, x: Tensor) -> Tensor:
        """Return data as probabilities: (B, data) -> (B, V)."""
        return (x.flatten(1) - self.low) / self.range


class UnstackedDecoder(Decoder):
    """sigmoid(W1 sigmoid(W2 ... (Wn z + bn)) + b1): the layers of a stack backwards.

    ``tied``: share the stack's weights and visible biases; else they are its own, and :meth:`initialise` copies the stack's.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> data = Real((1, 8, 8), 0, 1)
    >>> decoder = UnstackedDecoder(data, StackEncoder(data, hidden=(32, 16), dim=2))
    >>> decoder(torch.randn(5, 2)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(self, data: Real, encoder: Stacked, *, tied: bool = False) -> None:
        super().__init__()
        self._encoder = (encoder,)  # in a tuple, so that torch does not register it a second time
        self.data = data
        self._own = [] if tied else [_layer(weight) for weight, _ in encoder.downward()]
        self.layers = nn.ModuleList(self._own)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Copy the stack's weights and biases."""
        for layer, theirs in zip(self.downward(), self._encoder[0].downward(), strict=True):
            for own, their in zip(layer, theirs, strict=True):
                own.copy_(their)

    def downward(self) -> list[tuple[Tensor, Tensor]]:
        """Return the weights (below, above) and biases of its own layers, the top layer's first."""
        return [(layer.weight, layer.bias) for layer in self._own]

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the data's means, each layer's computed from the means above: (B, D) -> (B, data)."""
        first, *others = self.downward() or self._encoder[0].downward()
        logits = F.linear(latent, *first)
        for layer in others:
            logits = F.linear(logits.sigmoid(), *layer)
        return into_space(logits.reshape(-1, *self.data.shape), self.data)


def _layer(weight: Tensor) -> nn.Linear:
    """Return a layer down, from the units above to those below, with random weights (below, above)."""
    below, above = weight.shape
    layer = nn.Linear(above, below)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
