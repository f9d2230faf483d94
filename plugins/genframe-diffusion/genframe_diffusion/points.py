"""Points of a process: a time with its signal and noise, and grids of them from noise to data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from genframe.traits import NoiseProcess

from .specs.samplers import Grid

__all__ = ["CLEAN", "Point", "grid_times", "points"]

RHO: Final = 7.0


@dataclass(frozen=True)
class Point:
    """A time with alpha and sigma, as plain numbers: a walk over them asks nothing of the device."""

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


def points(process: NoiseProcess, times: Sequence[float]) -> list[Point]:
    """Return the points of a process at ``times``."""
    alphas, sigmas = process.alpha_sigma(torch.tensor(times, dtype=torch.float64, device="cpu"))
    return [Point(*entry) for entry in zip(times, alphas.tolist(), sigmas.tolist(), strict=True)]


def grid_times(process: NoiseProcess, grid: Grid, steps: int) -> list[float]:
    """Return the times of ``steps`` predictions, from 1 down; the last step goes to clean data."""
    if grid == "uniform":
        return _uniform(process, steps)
    first, last = points(process, [1.0, process.least_time])
    shares = [step / max(1, steps - 1) for step in range(steps)]
    if grid == "karras":
        high, low = first.ratio ** (1 / RHO), last.ratio ** (1 / RHO)
        log_ratios = [-RHO * math.log(high + share * (low - high)) for share in shares]
    else:
        log_ratios = [first.log_ratio + share * (last.log_ratio - first.log_ratio) for share in shares]
    return process.time_at(2 * torch.tensor(log_ratios, dtype=torch.float64, device="cpu")).tolist()


def _uniform(process: NoiseProcess, steps: int) -> list[float]:
    """Return times that divide what lies above the least time evenly; where the process is a chain, times of its steps."""
    chain = process.steps
    if chain is None:
        return [1 - (1 - process.least_time) * step / steps for step in range(steps)]
    return [round((1 - step / steps) * chain) / chain for step in range(steps)]
