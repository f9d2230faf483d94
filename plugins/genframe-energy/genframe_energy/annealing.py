"""Annealed importance sampling: log Z between a forward and a reverse estimate. Neal 2001; Salakhutdinov & Murray 2008."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Final, TypeAlias

import torch
from torch import Generator, Tensor

from .traits import Annealed, AnnealingPath

__all__ = [
    "SCHEDULE",
    "Estimate",
    "LogZ",
    "Schedule",
    "annealed_log_z",
    "betas_of",
    "enumerated_log_z",
    "log_weights",
    "log_z_of",
]

Schedule: TypeAlias = Sequence[tuple[int, float]]
SCHEDULE: Final[Schedule] = ((500, 0.5), (4000, 0.9), (10000, 1.0))
COVERAGE: Final = 0.95


@dataclass(frozen=True)
class Estimate:
    """The logarithm of a mean of importance weights, with its standard error by the delta method; both in nats.

    >>> Estimate.of(torch.full((4,), 3.0, dtype=torch.float64)).nats
    3.0
    """

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
    """A log normaliser in nats, with its 95 % interval from ``low`` to ``high`` and the name of its estimator.

    ``forward`` underestimates in the mean; ``reverse`` overestimates if its chains had mixed. Both are ``None`` for an
    enumeration, which is exact.

    >>> LogZ(3.0, 3.0, 3.0, "enumeration").standard_error
    0.0
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


def betas_of(schedule: Schedule) -> list[float]:
    """Return inverse temperatures from 0 to 1: for each (steps, end), as many equal steps from the end before.

    >>> betas_of([(2, 0.5), (1, 1.0)])
    [0.0, 0.25, 0.5, 1.0]
    """
    betas, start = [0.0], 0.0
    for steps, end in schedule:
        betas += [start + (end - start) * step / steps for step in range(1, steps + 1)]
        start = end
    return betas


def log_weights(path: AnnealingPath, states: Tensor, betas: Sequence[float], generator: Generator | None = None) -> Tensor:
    """Return the log importance weights of runs along ``betas`` from draws of f at the first beta: (n, ...) -> (n,)."""
    total = torch.zeros(len(states), dtype=torch.float64, device=states.device)
    for before, after in pairwise(betas):
        log_ratio, states = path.advance(states, before, after, generator)
        total += log_ratio
    return total


def enumerated_log_z(path: AnnealingPath) -> LogZ | None:
    """Return the exact log normaliser in nats, or ``None`` if there are too many states to sum over."""
    nats = path.log_z()
    return LogZ(nats, nats, nats, "enumeration") if nats is not None else None


def annealed_log_z(
    path: AnnealingPath, betas: Sequence[float], runs: int, samples: Tensor, generator: Generator | None = None
) -> LogZ:
    """Estimate the log normaliser by ``runs`` runs from f_0 to the model, and by runs back from ``samples`` of the model.

    The mean of forward weights is Z / Z_0, that of reverse ones Z_0 / Z, so that their logarithms bound log Z from below and
    above in the mean (Grosse et al. 2015, sec. 3). The interval spans the 95 % intervals of both.

    :raises ValueError: if there are fewer than two runs or samples.

    >>> from genframe import Real
    >>> from genframe_energy import RestrictedBoltzmannMachine
    >>> _ = torch.manual_seed(0)
    >>> rbm = RestrictedBoltzmannMachine(Real((8,), 0, 1, 2), hidden=4)
    >>> samples = torch.rand(100, 8).round()
    >>> annealed_log_z(rbm.annealing_path(samples), betas_of([(100, 1.0)]), 100, samples).estimator
    'annealed importance sampling'
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


def log_z_of(
    model: Annealed,
    states: Tensor,
    *,
    runs: int = 100,
    betas: Schedule = SCHEDULE,
    sweeps: int = 1000,
    generator: Generator | None = None,
) -> LogZ:
    """Return the log normaliser of a Boltzmann machine in nats: exact up to 20 hidden units, else by annealing.

    :param states: (N, state) of the machine's kernel, such as codes of training data for an RBM. Runs start from independent
        units with their marginals; runs back start from chains that leave them.
    :param runs: runs forward, and as many back.
    :param betas: the schedule of inverse temperatures, see :func:`betas_of`.
    :param sweeps: transitions from ``states`` to the states from which runs go back.

    >>> from genframe import Real
    >>> from genframe_energy import RestrictedBoltzmannMachine
    >>> _ = torch.manual_seed(0)
    >>> rbm = RestrictedBoltzmannMachine(Real((64,), 0, 1, 2), hidden=32)
    >>> found = log_z_of(rbm, torch.rand(100, 64).round(), betas=[(100, 1.0)], sweeps=10)
    >>> abs(found.nats - 96 * math.log(2)) < 0.5  # weights are near zero, so that nearly all of 2^96 states are equally likely
    True
    """
    path = model.annealing_path(states)
    exact = enumerated_log_z(path)
    if exact is not None:
        return exact
    samples = states[torch.arange(runs, device=states.device) % len(states)]
    for _ in range(sweeps):
        samples = model.transition(samples, None, generator)
    return annealed_log_z(path, betas_of(betas), runs, samples, generator)
