"""Noise within the bins of levels.

In units of a bin, level k is the bin from k to k + 1; y = low + (k + u) width with u from 0 to 1.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Generator, Tensor

from genframe import Real, normal_like
from genframe.types import PosteriorDistribution

from .priors import LOG_2PI, log_logistic

__all__ = ["LOG_NOTHING", "Bins", "LogitNormalNoise", "Noise", "UniformNoise"]

LOG_NOTHING: Final = -1e30
"""Stands for the logarithm of zero: its exponential is zero, sums of it and its gradient are finite."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
BELOW_ONE: Final = 1 - 2**-16
"""Shrinks uniform noise, as the data plugin does, so that y stays in its bin in float32 with up to 256 levels."""
LEAST_PLACE: Final = 2.0**-16


@dataclass(frozen=True)
class Bins:
    """The bins of the levels of a ``space``.

    >>> bins = Bins(Real((2,), 0, 1, levels=4))
    >>> index = bins.index(torch.tensor([[0.0, 1.0]]))
    >>> index.tolist(), bins.value(index + 0.5).tolist()
    ([[0.0, 3.0]], [[0.125, 0.875]])
    """

    space: Real

    @property
    def low(self) -> float:
        """The lower bound of the first bin."""
        return self.space.low or 0.0

    @property
    def levels(self) -> int:
        """How many bins there are."""
        return self.space.levels or 2

    @property
    def slack(self) -> float:
        """How far, in units of a bin, rounding in float32 can put a value outside its bin."""
        return self.levels * 2.0**-21

    def index(self, x: Tensor) -> Tensor:
        """Return the number of each level, as floats."""
        return torch.round((x - self.low) * ((self.levels - 1) / (self.levels * self.space.bin_width)))

    def level(self, index: Tensor) -> Tensor:
        """Return the level of each number."""
        return self.low + index * (self.levels * self.space.bin_width / (self.levels - 1))

    def value(self, place: Tensor) -> Tensor:
        """Return the value at a place in units of a bin."""
        return self.low + place / (1 / self.space.bin_width)

    def place(self, value: Tensor) -> Tensor:
        """Return the place of a value in units of a bin."""
        return (value - self.low) / self.space.bin_width


class Noise(ABC):
    """A batch of distributions of values within the bins of ``index`` (B, ...).

    The log-density of the last draw is kept and not computed from the rounded values: near the ends of a bin the density
    changes a lot between neighbouring float32 numbers.
    """

    def __init__(self, bins: Bins, index: Tensor) -> None:
        self.bins, self.index = bins, index
        self._drawn: tuple[Tensor, Tensor] | None = None

    @property
    def mean(self) -> Tensor:
        """Mean of each value: (B, ...)."""
        return self.bins.value(self.index + self._moment(1))

    @property
    def variance(self) -> Tensor:
        """Variance of each value: (B, ...)."""
        return (self._moment(2) - self._moment(1).square()) * self.bins.space.bin_width**2

    def entropy(self) -> Tensor:
        """Return the differential entropy in nats: (B,)."""
        return (self._entropy() + math.log(self.bins.space.bin_width)).flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return one draw each: (B, ...)."""
        place, log_density = self._draw(generator)
        value = self.bins.value(self.index + place)
        self._drawn = value, (log_density - math.log(self.bins.space.bin_width)).flatten(1).sum(1)
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density in nats, ``LOG_NOTHING`` outside the bin: (B, ...) -> (B,)."""
        if self._drawn is not None and self._drawn[0] is value:
            return self._drawn[1]
        place = self.bins.place(value) - self.index
        inside = (place - 0.5).abs() <= 0.5 + self.bins.slack
        log_density = self._log_density(place.clamp(LEAST_PLACE, 1 - LEAST_PLACE)) - math.log(self.bins.space.bin_width)
        return torch.where(inside, log_density, LOG_NOTHING).flatten(1).sum(1)

    @abstractmethod
    def expand(self, samples: int) -> PosteriorDistribution:
        """Repeat each distribution ``samples`` times, neighbours together."""

    @abstractmethod
    def _draw(self, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Return u from 0 to 1 and its log-density: (B, ...), (B, ...)."""

    @abstractmethod
    def _log_density(self, place: Tensor) -> Tensor:
        """Return the log-density of u: (B, ...) -> (B, ...)."""

    @abstractmethod
    def _moment(self, order: int) -> Tensor:
        """Return E[u^order]: (B, ...)."""

    @abstractmethod
    def _entropy(self) -> Tensor:
        """Return the entropy of u: (B, ...)."""


class UniformNoise(Noise):
    """u uniform. Theis et al. 2015, sec. 3.1.

    >>> noise = UniformNoise(Bins(Real((2,), 0, 1, levels=4)), torch.tensor([[0.0, 3.0]]))
    >>> noise.mean.tolist(), round(noise.entropy().item(), 4)
    ([[0.125, 0.875]], -2.7726)
    """

    def expand(self, samples: int) -> UniformNoise:
        """Repeat each distribution ``samples`` times, neighbours together."""
        return UniformNoise(self.bins, self.index.repeat_interleave(samples, 0))

    def _draw(self, generator: Generator | None) -> tuple[Tensor, Tensor]:
        index = self.index
        uniform = torch.rand(index.shape, generator=generator, device=index.device, dtype=index.dtype)
        return uniform * BELOW_ONE, self._entropy()

    def _log_density(self, place: Tensor) -> Tensor:
        return torch.zeros_like(place)

    def _moment(self, order: int) -> Tensor:
        return torch.full_like(self.index, 1 / (order + 1))

    def _entropy(self) -> Tensor:
        return torch.zeros_like(self.index)


class LogitNormalNoise(Noise):
    """u = sigmoid(t), t normal with ``location`` and ``log_sigma`` (B, ...). Ho et al. 2019, sec. 3.1.

    Expectations without a closed form come from 64-point Gauss-Hermite quadrature.

    >>> _ = torch.manual_seed(0)
    >>> bins, index = Bins(Real((2,), 0, 1, levels=4)), torch.tensor([[0.0, 3.0]])
    >>> noise = LogitNormalNoise(bins, index, torch.zeros(1, 2), torch.zeros(1, 2))
    >>> y = noise.rsample()
    >>> y.shape, noise.log_prob(y).shape, noise.mean.tolist()
    (torch.Size([1, 2]), torch.Size([1]), [[0.125, 0.875]])
    """

    def __init__(self, bins: Bins, index: Tensor, location: Tensor, log_sigma: Tensor) -> None:
        super().__init__(bins, index)
        self.location, self.log_sigma = location, log_sigma

    def expand(self, samples: int) -> LogitNormalNoise:
        """Repeat each distribution ``samples`` times, neighbours together."""
        tensors = (self.index, self.location, self.log_sigma)
        return LogitNormalNoise(self.bins, *(tensor.repeat_interleave(samples, 0) for tensor in tensors))

    def _draw(self, generator: Generator | None) -> tuple[Tensor, Tensor]:
        location = self.location
        noise = normal_like(location, generator)
        logit = torch.addcmul(location, noise, self.log_sigma.exp())
        return torch.sigmoid(logit), -0.5 * (noise.square() + LOG_2PI) - self.log_sigma - log_logistic(logit)

    def _log_density(self, place: Tensor) -> Tensor:
        logit = torch.logit(place)
        noise = (logit - self.location) * self.log_sigma.neg().exp()
        return -0.5 * (noise.square() + LOG_2PI) - self.log_sigma - log_logistic(logit)

    def _moment(self, order: int) -> Tensor:
        return self._expectation(lambda logit: torch.sigmoid(logit).pow(order))

    def _entropy(self) -> Tensor:
        return 0.5 * (1 + LOG_2PI) + self.log_sigma + self._expectation(log_logistic)

    def _expectation(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return E[function(t)], by a running sum whose memory does not grow with the nodes."""
        sigma, total = self.log_sigma.exp(), torch.zeros_like(self.location)
        for node, weight in zip(NODES.tolist(), (WEIGHTS / WEIGHTS.sum()).tolist(), strict=True):
            total = total + weight * function(self.location + node * sigma)
        return total
