"""The times at which a denoiser is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from genframe.types import NoiseProcess

from .choices import TimeDistribution

__all__ = ["Times", "evenly_drawn", "log_snr_range"]

LEAST_LOG_SNR: Final = -20.0  # where the data's part in noisy data is lost in float32


@dataclass(frozen=True)
class Times:
    """A distribution of times of training.

    ``distribution``: uniform; uniform in log-SNR; sigma / alpha log-normal (Karras et al. 2022, sec. 5); or time logit-normal
    (Esser et al. 2024, eq. 19). ``mean`` and ``deviation`` are those of the normal distributions. ``low_discrepancy``: the
    times of a batch are spread evenly over the distribution (Kingma et al. 2021, app. I.1).

    >>> from genframe_diffusion import StraightPaths
    >>> _ = torch.manual_seed(0)
    >>> time = Times("logit_normal", mean=0.0, deviation=1.0).draw(StraightPaths(), 4, torch.device("cpu"))
    >>> (4 * Times().draw(StraightPaths(), 4, torch.device("cpu"))).sort().values.floor()
    tensor([0., 1., 2., 3.])
    """

    distribution: TimeDistribution = "uniform"
    mean: float = -1.2
    deviation: float = 1.2
    low_discrepancy: bool = True

    def draw(self, process: NoiseProcess, n: int, device: torch.device) -> Tensor:
        """Return a time for each of ``n`` examples, by torch's global generator: (n,)."""
        share = evenly_drawn(n, device) if self.low_discrepancy else torch.rand(n, device=device)
        match self.distribution:
            case "uniform":
                return process.training_time(share)
            case "log_snr":
                low, high = log_snr_range(process)
                return process.time_at(high + (low - high) * share)
            case "log_normal":
                return process.time_at(-2 * self._normal(share)).clamp(process.least_time, 1)
            case "logit_normal":
                return process.training_time(torch.sigmoid(self._normal(share)))

    def _normal(self, share: Tensor) -> Tensor:
        """Return the quantiles of the normal distribution, within 5 deviations: (n,) in (0, 1) -> (n,)."""
        normal: Tensor = torch.special.ndtri(share)
        return self.mean + self.deviation * normal.clamp(-5, 5)


def evenly_drawn(n: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Return uniform numbers in [0, 1), one in each of ``n`` equal intervals, in random order: (n,).

    Source: Kingma et al. 2021, app. I.1.
    """
    start = torch.rand((), device=device, generator=generator)
    order = torch.randperm(n, device=device, generator=generator)
    return (start + order / n) % 1


def log_snr_range(process: NoiseProcess) -> tuple[float, float]:
    """Return log-SNR at the last and at the first time; where nothing of the data is left, -20 in its place."""
    ends = torch.tensor([1.0, process.least_time], dtype=torch.float64, device="cpu")
    alpha, sigma = process.alpha_sigma(ends)
    low, high = (2 * (torch.log(alpha) - torch.log(sigma))).tolist()
    return max(low, LEAST_LOG_SNR), high
