"""Posteriors over latents and likelihoods of data, as small frozen values over plain tensors.

All are batches: parameters and values are (B, ...), ``log_prob`` sums over every axis but the first and
is in nats. None of them makes a ``torch.distributions`` object, which would slow a training step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genframe import Real, normal_like

__all__ = [
    "BernoulliDistribution",
    "CategoricalDistribution",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "FullNormal",
    "NormalDistribution",
    "scale_tril",
]

LOG_2PI: Final = math.log(2 * math.pi)


def scale_tril(log_diagonal: Tensor, lower: Tensor) -> Tensor:
    """Return Cholesky factors: log-diagonals (..., D) and the entries below, row by row, (..., D(D-1)/2) -> (..., D, D)."""
    dim = log_diagonal.shape[-1]
    rows, columns = torch.tril_indices(dim, dim, -1, device=log_diagonal.device)
    factor = torch.diag_embed(log_diagonal.exp())
    factor[..., rows, columns] = lower
    return factor


@dataclass(frozen=True)
class NormalDistribution:
    """Independent normals: ``mean`` (B, ...), ``log_variance`` of a shape that broadcasts to it.

    >>> NormalDistribution(torch.zeros(2, 3), torch.zeros(())).log_prob(torch.zeros(2, 3))
    tensor([-2.7568, -2.7568])
    """

    mean: Tensor
    log_variance: Tensor

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density, normalising constant included: (B, ...) -> (B,)."""
        scaled = (value - self.mean).square() * torch.exp(-self.log_variance)
        return -0.5 * (scaled + self.log_variance + LOG_2PI).flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return mean + sigma * noise."""
        return self.mean + torch.exp(0.5 * self.log_variance) * normal_like(self.mean, generator)


@dataclass(frozen=True)
class DiagonalNormal(NormalDistribution):
    """A posterior with independent dimensions; ``log_variance`` has the mean's shape.

    >>> posterior = DiagonalNormal(torch.zeros(2, 3), torch.zeros(2, 3))
    >>> posterior.entropy()
    tensor([4.2568, 4.2568])
    """

    @property
    def variance(self) -> Tensor:
        """Variance of each dimension: (B, ...)."""
        return self.log_variance.exp()

    def entropy(self) -> Tensor:
        """Return the differential entropy: (B,)."""
        return 0.5 * (self.log_variance + (1 + LOG_2PI)).flatten(1).sum(1)

    def expand(self, samples: int) -> DiagonalNormal:
        """Repeat each distribution ``samples`` times, neighbours together."""
        if samples == 1:
            return self
        return DiagonalNormal(self.mean.repeat_interleave(samples, 0), self.log_variance.repeat_interleave(samples, 0))


@dataclass(frozen=True)
class FullNormal:
    """A posterior with full covariance L Lᵀ: ``mean`` (B, D), ``factor`` L lower triangular (B, D, D).

    >>> FullNormal(torch.zeros(2, 3), torch.eye(3).expand(2, 3, 3)).entropy()
    tensor([4.2568, 4.2568])
    """

    mean: Tensor
    factor: Tensor

    @property
    def variance(self) -> Tensor:
        """Marginal variance of each dimension: (B, D)."""
        return self.factor.square().sum(-1)

    def _log_det(self) -> Tensor:
        return self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density: (B, D) -> (B,)."""
        offset = (value - self.mean).unsqueeze(-1)
        white: Tensor = torch.linalg.solve_triangular(self.factor, offset, upper=False).squeeze(-1)
        return -0.5 * (white.square() + LOG_2PI).sum(-1) - self._log_det()

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return mean + L noise."""
        return self.mean + (self.factor @ normal_like(self.mean, generator).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Return the differential entropy: (B,)."""
        return self._log_det() + 0.5 * self.mean.shape[-1] * (1 + LOG_2PI)

    def expand(self, samples: int) -> FullNormal:
        """Repeat each distribution ``samples`` times, neighbours together."""
        if samples == 1:
            return self
        return FullNormal(self.mean.repeat_interleave(samples, 0), self.factor.repeat_interleave(samples, 0))


@dataclass(frozen=True)
class BernoulliDistribution:
    """Independent bits with ``logits`` (B, ...).

    >>> BernoulliDistribution(torch.zeros(1, 4)).log_prob(torch.ones(1, 4)).exp()
    tensor([0.0625])
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """Probability of a one: (B, ...)."""
        return torch.sigmoid(self.logits)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return minus the cross-entropy; for grey ``value`` in [0, 1], its expectation over bits drawn with that rate."""
        return -F.binary_cross_entropy_with_logits(self.logits, value, reduction="none").flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return bits as floats; there is no gradient."""
        return torch.bernoulli(self.mean, generator=generator)


@dataclass(frozen=True)
class DiscretisedLogistic:
    """Logistic mass of each bin of a grid; the outer bins reach to infinity. Salimans et al. 2017, eq. 2.

    In units in which ``grid`` runs from -1 to 1: ``location`` (B, ...), ``log_scale`` of a shape that
    broadcasts to it. A bin is as wide as the distance d = 2 / (levels - 1) of two values, and
    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)) keeps its logarithm exact.

    >>> grid = Real((1,), 0.0, 1.0, levels=3)
    >>> logistic = DiscretisedLogistic(torch.zeros(3, 1), torch.zeros(()), grid)
    >>> logistic.log_prob(torch.tensor([[0.0], [0.5], [1.0]])).exp()
    tensor([0.3775, 0.2449, 0.3775])
    """

    location: Tensor
    log_scale: Tensor
    grid: Real

    @property
    def _bounds(self) -> tuple[float, float, int]:
        return self.grid.low or 0.0, self.grid.high or 0.0, self.grid.levels or 2

    @property
    def mean(self) -> Tensor:
        """Exact mean, low + bin * sum over edges of P(value above the edge): (B, ...)."""
        low, high, levels = self._bounds
        inverse_scale = torch.exp(-self.log_scale)
        above = torch.zeros_like(self.location)
        for edge in range(levels - 1):  # a running sum: all edges at once would need `levels` times the memory
            above = above + torch.sigmoid((self.location - ((2 * edge + 1) / (levels - 1) - 1)) * inverse_scale)
        return low + (high - low) / (levels - 1) * above

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of the bins of ``value``: (B, ...) -> (B,)."""
        low, high, levels = self._bounds
        half = 1 / (levels - 1)
        unit = (value - low) * (2 / (high - low)) - 1
        inverse_scale = torch.exp(-self.log_scale)
        below_upper = F.logsigmoid((unit - self.location + half) * inverse_scale)
        above_lower = F.logsigmoid((self.location - unit + half) * inverse_scale)
        width = torch.log(-torch.expm1(-2 * half * inverse_scale))
        first, last = unit < half - 1, unit > 1 - half
        log_mass = torch.where(last, 0.0, below_upper) + torch.where(first, 0.0, above_lower)
        return (log_mass + torch.where(first | last, 0.0, width)).flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return values on the grid; there is no gradient."""
        low, high, levels = self._bounds
        uniform = torch.rand(self.location.shape, generator=generator, device=self.location.device, dtype=self.location.dtype)
        drawn = self.location + self.log_scale.exp() * torch.logit(uniform, eps=torch.finfo(uniform.dtype).tiny)
        index = ((drawn + 1) * ((levels - 1) / 2)).round().clamp(0, levels - 1)
        return low + index * ((high - low) / (levels - 1))


@dataclass(frozen=True)
class CategoricalDistribution:
    """Independent classes with ``logits`` (B, size, ...); of the values of ``grid`` where there is one.

    >>> CategoricalDistribution(torch.zeros(1, 4, 2)).log_prob(torch.tensor([[0, 3]])).exp()
    tensor([0.0625])
    """

    logits: Tensor
    grid: Real | None = None

    @property
    def mean(self) -> Tensor:
        """Mean value on the grid; where values are classes, which have no mean, the most probable class: (B, ...)."""
        if self.grid is None:
            return self.logits.argmax(1)
        index = torch.arange(self.logits.shape[1], device=self.logits.device, dtype=self.logits.dtype)
        return self._value(torch.einsum("bs...,s->b...", self.logits.softmax(1), index), self.grid)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability: (B, ...) -> (B,)."""
        index = value if self.grid is None else self._index(value, self.grid)
        return -F.cross_entropy(self.logits, index, reduction="none").flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return classes or values of the grid, by the Gumbel-max trick; there is no gradient."""
        exponential = torch.empty_like(self.logits).exponential_(generator=generator)
        index = (self.logits - exponential.log()).argmax(1)
        return index if self.grid is None else self._value(index, self.grid)

    @staticmethod
    def _value(index: Tensor, grid: Real) -> Tensor:
        low, high, levels = grid.low or 0.0, grid.high or 0.0, grid.levels or 2
        return low + index * ((high - low) / (levels - 1))

    @staticmethod
    def _index(value: Tensor, grid: Real) -> Tensor:
        low, high, levels = grid.low or 0.0, grid.high or 0.0, grid.levels or 2
        return ((value - low) * ((levels - 1) / (high - low))).round().long()
