"""Points of a process: a time with its signal and noise, and paths of them from noise to data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch

from genframe.types import NoiseProcess

from .choices import Grid

__all__ = ["CLEAN", "EvenPath", "GridPath", "Path", "Point", "end_scale", "point_at", "points"]

RHO: Final = 7.0


@dataclass(frozen=True)
class Point:
    """A time with alpha and sigma, as plain numbers, so that a walk over them never waits for the device.

    >>> Point(time=0.5, alpha=0.6, sigma=0.3).ratio
    0.5
    """

    time: float
    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """Noise to signal, sigma / alpha."""
        return self.sigma / self.alpha if self.alpha else math.inf

    @property
    def log_ratio(self) -> float:
        """log(alpha / sigma), half of log-SNR."""
        if not self.sigma:
            return math.inf
        return math.log(self.alpha / self.sigma) if self.alpha else -math.inf


CLEAN: Final = Point(0.0, 1.0, 0.0)
Path: TypeAlias = Callable[[NoiseProcess], list[Point]]
"""Gives the points of a process over which a walk goes, from noise to clean data."""


def points(process: NoiseProcess, times: Sequence[float]) -> list[Point]:
    """Return the points of a process at ``times``."""
    alphas, sigmas = process.alpha_sigma(torch.tensor(times, dtype=torch.float64, device="cpu"))
    return [Point(*entry) for entry in zip(times, alphas.tolist(), sigmas.tolist(), strict=True)]


def point_at(process: NoiseProcess, ratio: float) -> Point:
    """Return the point of a process at a noise-to-signal ratio."""
    time = process.time_at(torch.tensor([-2 * math.log(ratio)], dtype=torch.float64, device="cpu"))
    (point,) = points(process, time.tolist())
    return point


def end_scale(process: NoiseProcess) -> float:
    """Return the standard deviation of the noisiest data, by which noise of unit scale is multiplied."""
    (end,) = points(process, [1.0])
    return math.hypot(end.alpha * process.data_deviation, end.sigma)


@dataclass(frozen=True)
class GridPath:
    """The path of a given number of predictions, from time 1 down to the least time; the last step goes to clean data.

    Times are uniform, or powers of sigma / alpha (``karras``: Karras et al. 2022, eq. 5, rho 7), or uniform in log-SNR. Where
    the process is a chain, uniform times are those of its steps.

    >>> from genframe_diffusion import StraightPaths
    >>> [point.time for point in GridPath(steps=2)(StraightPaths(least_time=0.5))]
    [1.0, 0.75, 0.0]
    """

    steps: int = 50
    grid: Grid = "uniform"

    def __call__(self, process: NoiseProcess) -> list[Point]:
        """Return the points of the grid, and clean data."""
        return [*points(process, self.times(process)), CLEAN]

    def times(self, process: NoiseProcess) -> list[float]:
        """Return the times of the predictions, from 1 down."""
        if self.grid == "uniform":
            return _uniform(process, self.steps)
        first, last = points(process, [1.0, process.least_time])
        shares = [step / max(1, self.steps - 1) for step in range(self.steps)]
        if self.grid == "karras":
            high, low = first.ratio ** (1 / RHO), last.ratio ** (1 / RHO)
            log_ratios = [-RHO * math.log(high + share * (low - high)) for share in shares]
        else:
            log_ratios = [first.log_ratio + share * (last.log_ratio - first.log_ratio) for share in shares]
        return process.time_at(2 * torch.tensor(log_ratios, dtype=torch.float64, device="cpu")).tolist()


def _uniform(process: NoiseProcess, steps: int) -> list[float]:
    chain = process.steps
    if chain is None:
        return [1 - (1 - process.least_time) * step / steps for step in range(steps)]
    return [round((1 - step / steps) * chain) / chain for step in range(steps)]


@dataclass(frozen=True)
class EvenPath:
    """The path of ``states`` points at even times from 1 to the least time, both included, and clean data.

    >>> from genframe_diffusion import StraightPaths
    >>> [point.time for point in EvenPath(states=3)(StraightPaths(least_time=0.5))]
    [1.0, 0.75, 0.5, 0.0]
    """

    states: int = 8

    def __call__(self, process: NoiseProcess) -> list[Point]:
        """Return the points."""
        legs = self.states - 1
        times = [1 - (1 - process.least_time) * leg / legs for leg in range(self.states)]
        return [*points(process, times), CLEAN]
