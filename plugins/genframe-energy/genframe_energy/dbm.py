"""The deep Boltzmann machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from genframe import Context, Prior, Real, Space

from .rbm import CENTRE, DEVIATION, RbmPath, RestrictedBoltzmannMachine
from .units import BernoulliUnits, bernoulli, random_states

__all__ = ["DeepBoltzmannMachine"]


class DeepBoltzmannMachine(Prior):
    """p(x_0, ..., x_L) proportional to exp(-E) of layers of bits, x_0 the code. Salakhutdinov & Hinton 2009.

    Weights are between neighbouring layers, so that the odd layers are independent given the even ones, and the other way
    round. A state is the even layers side by side, (B, x_0 + x_2 + ...): the odd ones are summed over, which makes this an RBM
    of even against odd units. It is centred (Montavon & Müller 2012).

    :param code: a space of bits.
    :param hidden: sizes of the hidden layers, from below; two at least.
    :param mean_field: iterations of mean field, each over all hidden layers.
    :param sweeps: block Gibbs sweeps from a random state to a sample.

    >>> import torch
    >>> from genframe import Real
    >>> _ = torch.manual_seed(0)
    >>> dbm = DeepBoltzmannMachine(Real((16,), 0, 1, 2), hidden=(8, 4), sweeps=10)
    >>> x = dbm.sample(5)
    >>> x.shape, dbm.energy(x).shape, dbm.states(x).shape
    (torch.Size([5, 16]), torch.Size([5]), torch.Size([5, 20]))
    """

    def __init__(self, code: Space, hidden: Sequence[int] = (64, 32), *, mean_field: int = 10, sweeps: int = 1000) -> None:
        super().__init__()
        self.space, self.sweeps, self.iterations = code, sweeps, mean_field
        self.units = BernoulliUnits(code)
        self.sizes = (self.units.count, *hidden)
        self.weights = nn.ParameterList(DEVIATION * torch.randn(below, above) for below, above in pairwise(self.sizes))
        self.biases = nn.ParameterList(torch.zeros(size) for size in self.sizes)
        self.offset: Tensor
        self.register_buffer("offset", torch.full((self.units.count,), CENTRE))  # that of the hidden units is CENTRE

    @property
    def even(self) -> list[int]:
        """The numbers of the layers that a state holds."""
        return list(range(0, len(self.sizes), 2))

    @property
    def odd(self) -> list[int]:
        """The numbers of the layers that are summed over."""
        return list(range(1, len(self.sizes), 2))

    def plain_biases(self) -> list[Tensor]:
        """Return each layer's bias when all others are 0; the parameters are those when the others are at their offsets."""
        offsets = [self.offset, *(torch.full_like(bias, CENTRE) for bias in list(self.biases)[1:])]
        pulls = self._activations(dict(enumerate(offset[None] for offset in offsets)), range(len(self.sizes)))
        return [bias - pull[0] for bias, pull in zip(self.biases, pulls, strict=True)]

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return an upper bound of -log sum_h exp(-E(code, h)) in nats, by mean field. Salakhutdinov & Hinton 2009, eq. 5."""
        state = self.mean_states(code)
        hidden = state[:, self.units.count :]
        return self.state_energy(state) - _entropy(hidden).sum(1)

    def state_energy(self, state: Tensor) -> Tensor:
        """Return -log of the sum over the odd layers of exp(-E), in nats; of means too, in which it is linear or convex."""
        layers, biases = self._split(state), self.plain_biases()
        alone = sum((layers[number] @ biases[number] for number in self.even), start=torch.zeros((), device=state.device))
        logits = zip(self._activations(layers, self.odd), (biases[number] for number in self.odd), strict=True)
        for activation, bias in logits:
            alone = alone + F.softplus(activation + bias).sum(1)
        return -alone

    @torch.no_grad()
    def mean_states(self, code: Tensor) -> Tensor:
        """Return codes with the mean activities of the even hidden layers under the mean-field posterior: (B, state)."""
        v, biases = self.units.of(code), self.plain_biases()
        layers = {0: v, **{number: v.new_full((len(v), self.sizes[number]), CENTRE) for number in self.even[1:]}}
        for _ in range(self.iterations):
            for numbers in (self.odd, self.even[1:]):
                for number, activation in zip(numbers, self._activations(layers, numbers), strict=True):
                    layers[number] = (activation + biases[number]).sigmoid()
        return self._state(layers)

    @torch.no_grad()
    def states(self, code: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return codes with hidden units drawn from the mean-field posterior: (B, code) -> (B, state)."""
        state = self.mean_states(code)
        hidden = bernoulli(state[:, self.units.count :].logit(), generator)
        return torch.cat((state[:, : self.units.count], hidden), 1)

    def codes(self, state: Tensor) -> Tensor:
        """Return the lowest layer: (B, state) -> (B, code)."""
        return self.units.code(state[:, : self.units.count])

    @torch.no_grad()
    def transition(self, state: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return each chain after a sweep of block Gibbs: odd layers given even ones, then even given odd."""
        layers, biases = self._split(state), self.plain_biases()
        for numbers in (self.odd, self.even):
            for number, activation in zip(numbers, self._activations(layers, numbers), strict=True):
                layers[number] = bernoulli(activation + biases[number], generator)
        return self._state(layers)

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the codes (n, code) of ``n`` chains, each after ``sweeps`` transitions from a random state."""
        state = self.states(random_states(self.space, n, generator, self.offset.device), context, generator)
        for _ in range(self.sweeps):
            state = self.transition(state, context, generator)
        return self.codes(state)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Set offsets and biases of the code's units from data, as if there were no hidden units."""
        v = self.units.of(x)
        self.offset.copy_(v.mean(0))
        lowest, *_ = self.biases
        lowest.copy_(self.units.bias_for(v.mean(0), len(v)))

    def annealing_path(self, states: Tensor) -> RbmPath:
        """Return the path from an RBM without weights whose even units have the marginals of ``states``."""
        return RbmPath(self.unfolded(), states)

    @torch.no_grad()
    def unfolded(self) -> RestrictedBoltzmannMachine:
        """Return the RBM whose visible units are the even layers, and whose hidden units are the odd layers."""
        even, odd = ([self.sizes[number] for number in numbers] for numbers in (self.even, self.odd))
        rbm = RestrictedBoltzmannMachine(Real((sum(even),), 0, 1, levels=2), sum(odd)).to(self.offset.device)
        biases = self.plain_biases()
        rbm.visible_bias.copy_(torch.cat(biases[::2]))
        rbm.hidden_bias.copy_(torch.cat(biases[1::2]))
        blocks = [list(rows.split(odd, 1)) for rows in rbm.weight.zero_().split(even)]
        for below, weight in enumerate(self.weights):
            row, column = (below + 1) // 2, below // 2
            blocks[row][column].copy_(weight if below % 2 == 0 else weight.T)
        return rbm

    def _activations(self, layers: dict[int, Tensor], numbers: list[int] | range) -> list[Tensor]:
        """Return the input of layers from their neighbours, without biases: (B, size) each."""
        activations = []
        for number in numbers:
            below = [layers[number - 1] @ self.weights[number - 1]] if number else []
            above = [layers[number + 1] @ self.weights[number].T] if number + 1 < len(self.sizes) else []
            first, *second = (activation.to(layers[abs(number - 1)].dtype) for activation in (*below, *above))
            activations.append(first + second[0] if second else first)
        return activations

    def _split(self, state: Tensor) -> dict[int, Tensor]:
        return dict(zip(self.even, state.split([self.sizes[number] for number in self.even], 1), strict=True))

    def _state(self, layers: dict[int, Tensor]) -> Tensor:
        return torch.cat([layers[number] for number in self.even], 1)


def _entropy(mean: Tensor) -> Tensor:
    """Return the entropy of bits, in nats."""
    entropy: Tensor = torch.special.entr(mean) + torch.special.entr(1 - mean)
    return entropy
