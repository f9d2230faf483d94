"""Annealed importance sampling: log Z between a forward and a reverse estimate. Neal 2001; Salakhutdinov & Murray 2008."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Final

import torch
from torch import Generator, Tensor

from .traits import AnnealingPath

__all__ = ["Estimate", "LogZ", "annealed_log_z", "betas_of", "enumerated_log_z", "log_weights"]

COVERAGE: Final = 0.95


@dataclass(frozen=True)
class Estimate:
    """The logarithm of a mean of importance weights, with its standard error by the delta method; both in nats."""

    nats: float
    standard_error: float
    margin: float

    @classmethod
    def of(cls, weights: Tensor) -> Estimate:
        """Estimate from log weights (n,); ``margin`` is the error times Student's 97.5 % quantile."""
        n = len(weights)
        relative = (weights - weights.logsumexp(0) + math.log(n)).exp()  # of mean 1
        error = float(relative.std() / math.sqrt(n))
        return cls(float(weights.logsumexp(0)) - math.log(n), error, error * student_quantile((1 + COVERAGE) / 2, n - 1))


@dataclass(frozen=True)
class LogZ:
    """A log normaliser in nats, with the 95 % interval from ``low`` to ``high`` and how it was found.

    ``forward`` underestimates in the mean, and ``reverse`` overestimates where its chains had mixed; both are ``None`` for an
    enumeration, which is exact.
    """

    nats: float
    low: float
    high: float
    estimator: str
    forward: Estimate | None = None
    reverse: Estimate | None = None

    @property
    def standard_error(self) -> float:
        """That of the forward estimate; 0 for an enumeration."""
        return self.forward.standard_error if self.forward is not None else 0.0


def student_quantile(share: float, degrees: int) -> float:
    """Return a quantile of Student's t distribution, by its expansion in 1 / degrees. Abramowitz & Stegun 1964, 26.7.5."""
    z, n = NormalDist().inv_cdf(share), degrees
    terms = (
        z,
        (z**3 + z) / (4 * n),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3),
    )
    return sum(terms)


def betas_of(schedule: Sequence[tuple[int, float]]) -> list[float]:
    """Return inverse temperatures from 0 to 1: for each (steps, end) so many equal steps from the end before."""
    betas, start = [0.0], 0.0
    for steps, end in schedule:
        betas += [start + (end - start) * step / steps for step in range(1, steps + 1)]
        start = end
    return betas


def log_weights(path: AnnealingPath, states: Tensor, betas: Sequence[float], generator: Generator) -> Tensor:
    """Return the log importance weights of runs along ``betas``, which begin at draws of f at the first: (n, ...) -> (n,)."""
    total = torch.zeros(len(states), dtype=torch.float64, device=states.device)
    for before, after in pairwise(betas):
        log_ratio, states = path.advance(states, before, after, generator)
        total += log_ratio
    return total


def enumerated_log_z(path: AnnealingPath) -> LogZ | None:
    """Return the exact log normaliser in nats, or ``None`` where there are too many states to sum over."""
    nats = path.log_z()
    return LogZ(nats, nats, nats, "enumeration") if nats is not None else None


def annealed_log_z(path: AnnealingPath, betas: Sequence[float], runs: int, samples: Tensor, generator: Generator) -> LogZ:
    """Estimate the log normaliser by ``runs`` runs from f_0 to the model, and by runs back from ``samples`` of the model.

    The mean of forward weights is Z / Z_0, that of reverse ones Z_0 / Z, so that their logarithms bound log Z from below and
    above in the mean (Grosse et al. 2015, sec. 3). The interval spans the 95 % intervals of both.

    :raises ValueError: if there are fewer than two runs or samples.
    """
    if runs < 2 or len(samples) < 2:
        raise ValueError(f"an interval needs at least two runs and samples, found {runs} and {len(samples)}")
    start = path.log_z_start
    forward = Estimate.of(start + log_weights(path, path.start(runs, generator), betas, generator))
    back = Estimate.of(log_weights(path, path.units_of(samples), betas[::-1], generator))
    reverse = Estimate(start - back.nats, back.standard_error, back.margin)
    low = min(each.nats - each.margin for each in (forward, reverse))
    high = max(each.nats + each.margin for each in (forward, reverse))
    return LogZ(forward.nats, low, high, "annealed importance sampling", forward, reverse)
