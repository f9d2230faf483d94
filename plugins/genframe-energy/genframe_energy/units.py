"""Visible units of a Boltzmann machine, by the space of the codes: Bernoulli, softmax or Gaussian.

``v`` is the flat vector of units (B, V), ``activation`` = bias + W h their input from the hidden units (B, V).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from genframe import Categorical, Context, Space, normal_like
from genframe.roles import full_precision

__all__ = ["BernoulliUnits", "CodeChains", "VisibleUnits", "bernoulli", "random_states", "visible_units"]

LOG_2PI = math.log(2 * math.pi)


def bernoulli(logits: Tensor, generator: Generator | None) -> Tensor:
    """Return draws of 0 and 1, as floats: a comparison with uniform noise, faster than ``torch.bernoulli`` on a CPU."""
    noise = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=logits.dtype)
    return noise.lt_(logits.sigmoid())


def random_states(space: Space, n: int, generator: Generator | None, device: torch.device) -> Tensor:
    """Return states (n, code) from which chains start: uniform over values or bounds, standard normal without either."""
    shape = (n, *space.shape)
    if isinstance(space, Categorical):
        return torch.randint(space.size, shape, generator=generator, device=device)
    if space.low is None or space.high is None:
        return torch.randn(shape, generator=generator, device=device)
    share = torch.rand(shape, generator=generator, device=device)
    if space.discrete and space.levels is not None:
        share = (share * space.levels).floor() / (space.levels - 1)
    return space.low + (space.high - space.low) * share


class CodeChains:
    """For kernels whose states are codes; see genframe's trait MarkovKernel."""

    def states(self, code: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the codes."""
        return code

    def codes(self, state: Tensor) -> Tensor:
        """Return the states."""
        return state


class VisibleUnits(nn.Module, ABC):
    """How units follow from codes, their energy by themselves, and how they are drawn."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.shape = space.shape
        self.count = space.dims

    @abstractmethod
    def of(self, code: Tensor) -> Tensor:
        """Return the units of codes: (B, code) -> (B, V)."""

    @abstractmethod
    def code(self, v: Tensor) -> Tensor:
        """Return the codes of units: (B, V) -> (B, code)."""

    @abstractmethod
    def draw(self, activation: Tensor, generator: Generator | None) -> Tensor:
        """Draw units given their activation: (B, V) -> (B, V)."""

    @abstractmethod
    def log_normaliser(self, activation: Tensor, bias: Tensor) -> Tensor:
        """Return the logarithm of the sum (or integral) over v of exp(-energy with this activation): (B, V) -> (B,)."""

    @abstractmethod
    def bias_for(self, mean: Tensor, n: int) -> Tensor:
        """Return the bias (V,) with which units without hidden ones have ``mean`` (V,), that of ``n`` examples."""

    def energy(self, v: Tensor, bias: Tensor) -> Tensor:
        """Return the energy of units without input from hidden ones, in nats: (B,)."""
        with full_precision(v):
            return -(v @ bias)

    def drive(self, v: Tensor) -> Tensor:
        """Return what hidden units read of ``v``: (B, V) -> (B, V)."""
        return v


class BernoulliUnits(VisibleUnits):
    """Units that are 0 or 1.

    >>> from genframe import Real
    >>> BernoulliUnits(Real((2,), 0, 1, 2)).bias_for(torch.tensor([0.5, 1.0]), n=8)
    tensor([0.0000, 2.1972])
    """

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self.classes = isinstance(space, Categorical)

    def of(self, code: Tensor) -> Tensor:
        """Return the codes, flat."""
        v = code.flatten(1) if code.dim() > 1 else code[:, None]
        return v.to(torch.get_default_dtype()) if self.classes else v

    def code(self, v: Tensor) -> Tensor:
        """Return the units in the codes' shape."""
        code = v.reshape(-1, *self.shape)
        return code.long() if self.classes else code

    def draw(self, activation: Tensor, generator: Generator | None) -> Tensor:
        """Draw each unit by itself."""
        return bernoulli(activation, generator)

    def log_normaliser(self, activation: Tensor, bias: Tensor) -> Tensor:
        """Return a sum of softplus."""
        return F.softplus(activation).sum(1)

    def bias_for(self, mean: Tensor, n: int) -> Tensor:
        """Return log p / (1 - p), with one more example of either value, so that it is finite. Hinton 2012, sec. 8."""
        return torch.logit((mean * n + 1) / (n + 2))


class SoftmaxUnits(VisibleUnits):
    """Groups of units of which one is 1: a group for each class of the code. Salakhutdinov et al. 2007, sec. 2.

    >>> SoftmaxUnits(Categorical((2,), 3)).of(torch.tensor([[0, 2]]))
    tensor([[1., 0., 0., 0., 0., 1.]])
    """

    def __init__(self, space: Categorical) -> None:
        super().__init__(space)
        self.size = space.size
        self.count = space.dims * space.size

    def of(self, code: Tensor) -> Tensor:
        """Return one-hot vectors, flat."""
        return F.one_hot(code, self.size).to(torch.get_default_dtype()).flatten(1)

    def code(self, v: Tensor) -> Tensor:
        """Return the places of the ones."""
        return v.reshape(-1, *self.shape, self.size).argmax(-1)

    def draw(self, activation: Tensor, generator: Generator | None) -> Tensor:
        """Draw each group's class, by the Gumbel-max trick."""
        logits = activation.unflatten(1, (-1, self.size))
        noise = torch.empty_like(logits).exponential_(generator=generator)
        return F.one_hot((logits - noise.log()).argmax(-1), self.size).to(logits.dtype).flatten(1)

    def log_normaliser(self, activation: Tensor, bias: Tensor) -> Tensor:
        """Return a sum of logsumexp."""
        groups: Tensor = activation.unflatten(1, (-1, self.size))  # (B, groups, size)
        return groups.logsumexp(2).sum(1)

    def bias_for(self, mean: Tensor, n: int) -> Tensor:
        """Return log p, with one more example of each class."""
        return ((mean * n + 1) / (n + self.size)).log()


class GaussianUnits(VisibleUnits):
    """Real units, N(activation, variance) given the hidden ones. Hinton 2012, sec. 13.2; Cho et al. 2011, eq. 3.

    >>> from genframe import Real
    >>> units = GaussianUnits(Real((2,)))
    >>> units.energy(torch.ones(1, 2), torch.zeros(2))
    tensor([1.])
    """

    def __init__(self, space: Space, *, learned: bool = False) -> None:
        super().__init__(space)
        start = torch.zeros(space.dims)
        self.log_variance = nn.Parameter(start) if learned else None

    @property
    def variance(self) -> Tensor | float:
        """The variance of each unit given the hidden ones: (V,)."""
        return 1.0 if self.log_variance is None else self.log_variance.exp()

    def of(self, code: Tensor) -> Tensor:
        """Return the codes, flat."""
        return code.flatten(1) if code.dim() > 1 else code[:, None]

    def code(self, v: Tensor) -> Tensor:
        """Return the units in the codes' shape."""
        return v.reshape(-1, *self.shape)

    def draw(self, activation: Tensor, generator: Generator | None) -> Tensor:
        """Draw each unit by itself."""
        return activation + normal_like(activation, generator) * self.variance**0.5

    def log_normaliser(self, activation: Tensor, bias: Tensor) -> Tensor:
        """Return the integral of exp(-energy), by completing the square."""
        log_variance = 0.0 if self.log_variance is None else self.log_variance
        terms: Tensor = 0.5 * ((activation.square() - bias.square()) / self.variance + log_variance + LOG_2PI)
        return terms.sum(1)

    def bias_for(self, mean: Tensor, n: int) -> Tensor:
        """Return the mean."""
        return mean

    def energy(self, v: Tensor, bias: Tensor) -> Tensor:
        """Return half the squared distance from the bias, in units of the variance."""
        squares: Tensor = (v - bias).square() / self.variance
        return 0.5 * squares.sum(1)

    def drive(self, v: Tensor) -> Tensor:
        """Return the units divided by their variance."""
        return v if self.log_variance is None else v / self.variance


def visible_units(space: Space, *, learned: bool) -> VisibleUnits:
    """Return the units for codes of ``space``; ``learned`` is for the variance of Gaussian ones."""
    if isinstance(space, Categorical):
        return BernoulliUnits(space) if space.size == 2 else SoftmaxUnits(space)
    return BernoulliUnits(space) if space.levels == 2 else GaussianUnits(space, learned=learned)
