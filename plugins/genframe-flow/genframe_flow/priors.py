"""Priors of flows: independent logistic values, and normals of learned means and scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from genframe import Context, Prior

from .spaces import Shape, unbounded

__all__ = ["LOG_2PI", "GaussianPrior", "LogisticPrior", "log_logistic"]

LOG_2PI: Final = math.log(2 * math.pi)


def log_logistic(z: Tensor) -> Tensor:
    """Return the standard logistic's log-density, z - 2 log(1 + exp(z)), which is log d sigmoid(z)/dz too: (...) -> (...)."""
    return torch.add(z, F.softplus(z), alpha=-2)


class LogisticPrior(Prior):
    """Independent standard logistic values, log p = z - 2 log(1 + exp(z)). Dinh et al. 2014, eq. 15.

    :param code: the shape of one code.

    >>> _ = torch.manual_seed(0)
    >>> prior = LogisticPrior(2)
    >>> prior.sample(3).shape, [round(value, 4) for value in prior.log_prob(torch.zeros(1, 2)).tolist()]
    (torch.Size([3, 2]), [-2.7726])
    """

    origin: Tensor

    def __init__(self, code: Shape) -> None:
        super().__init__()
        self.shape = unbounded(code).shape
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws by the inverse distribution function.

        Uniform noise lies on a grid that includes 0, where the logit is infinite: there it counts as a quarter of a step.
        """
        origin = self.origin
        uniform = torch.rand(n, *self.shape, generator=generator, device=origin.device, dtype=origin.dtype)
        return torch.logit(uniform.clamp_(min=torch.finfo(origin.dtype).eps / 8))

    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws of the logistic whose scale is the temperature."""
        return temperature * self.sample(n, context, generator)

    def to_base(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return normal values of the same quantiles, computed from the smaller tail of each in float64."""
        tail = torch.special.ndtri(torch.sigmoid(-code.double().abs()))
        return torch.where(code < 0, tail, -tail).to(code.dtype)

    def from_base(self, base: Tensor, context: Context | None = None) -> Tensor:
        """Return logistic values of the same quantiles."""
        log_tail = torch.special.log_ndtr(-base.double().abs())
        tail = log_tail - torch.log1p(-log_tail.exp())
        return torch.where(base < 0, tail, -tail).to(base.dtype)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density in nats, the sum of z - 2 log(1 + exp(z))."""
        return log_logistic(code).flatten(1).sum(1)


class GaussianPrior(Prior):
    """N(mean, exp(s)²) with a learned mean and s for each dimension or level. Dinh et al. 2017, sec. 3.6.

    :param code: the shape of one code.
    :param level_sizes: the sizes of the levels into which a code falls, from fine to coarse, each with a mean and an s;
        unless given, each dimension has its own.

    >>> _ = torch.manual_seed(0)
    >>> prior = GaussianPrior(6, level_sizes=(4, 2))
    >>> prior.sample(3).shape, prior.log_prob(torch.zeros(3, 6)).shape, prior.mean.shape
    (torch.Size([3, 6]), torch.Size([3]), torch.Size([2]))
    """

    level: Tensor | None

    def __init__(self, code: Shape, level_sizes: Sequence[int] | None = None) -> None:
        super().__init__()
        self.shape = shape = unbounded(code).shape
        level = None
        if level_sizes is not None:
            level = torch.arange(len(level_sizes)).repeat_interleave(torch.tensor(level_sizes)).reshape(shape)
            shape = (len(level_sizes),)
        self.register_buffer("level", level, persistent=False)
        self.mean = nn.Parameter(torch.zeros(shape))
        self.log_scale = nn.Parameter(torch.zeros(shape))

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws."""
        return self.sample_at(1.0, n, context, generator)

    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws with deviations times the temperature."""
        mean, log_scale = self._of_dimensions()
        noise = torch.randn(n, *self.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return torch.addcmul(mean, noise, temperature * log_scale.exp())

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density in nats."""
        mean, log_scale = self._of_dimensions()
        return _log_normal(((code - mean) * log_scale.neg().exp()).square(), log_scale)

    def to_base(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return codes less the means, in units of the scales."""
        mean, log_scale = self._of_dimensions()
        return (code - mean) * log_scale.neg().exp()

    def from_base(self, base: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean and the scale times the base."""
        mean, log_scale = self._of_dimensions()
        return torch.addcmul(mean, base, log_scale.exp())

    def expected_log_prob(self, mean: Tensor, variance: Tensor, context: Context | None = None) -> Tensor:
        """Return E_q[log p] of any q with these moments: only the first two matter."""
        centre, log_scale = self._of_dimensions()
        return _log_normal(((mean - centre).square() + variance) * (-2 * log_scale).exp(), log_scale)

    def _of_dimensions(self) -> tuple[Tensor, Tensor]:
        """Return mean and s of each dimension: (code)."""
        if self.level is None:
            return self.mean, self.log_scale
        return self.mean[self.level], self.log_scale[self.level]


def _log_normal(squares: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log-density for squared distances in units of the scale: (B, ...) -> (B,)."""
    return -0.5 * squares.flatten(1).sum(1) - (log_scale + 0.5 * LOG_2PI).sum()
