"""The times at which a denoiser is trained."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from genframe.traits import NoiseProcess

from .specs.losses import Denoising

__all__ = ["drawn_times", "evenly_drawn", "log_snr_range"]

LEAST_LOG_SNR: Final = -20.0  # where the data's part in noisy data is lost in float32


def drawn_times(spec: Denoising, process: NoiseProcess, n: int, device: torch.device) -> Tensor:
    """Return a time for each of ``n`` data, by torch's global generator: (n,)."""
    share = evenly_drawn(n, device) if spec.low_discrepancy else torch.rand(n, device=device)
    match spec.times:
        case "uniform":
            return process.training_time(share)
        case "log_snr":
            low, high = log_snr_range(process)
            return process.time_at(high + (low - high) * share)
        case "log_normal":
            log_ratio = spec.mean + spec.deviation * _normal(share)
            return process.time_at(-2 * log_ratio).clamp(process.least_time, 1)
        case "logit_normal":
            return process.training_time(torch.sigmoid(spec.mean + spec.deviation * _normal(share)))


def evenly_drawn(n: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Return uniform numbers in [0, 1), one in each of ``n`` equal intervals, in random order: (n,).

    Source: Kingma et al. 2021, app. I.1.
    """
    start = torch.rand((), device=device, generator=generator)
    share = (start + torch.arange(n, device=device) / n) % 1
    return share[torch.randperm(n, device=device, generator=generator)]


def _normal(share: Tensor) -> Tensor:
    """Return standard normal numbers by the inverse of their distribution, within 5 deviations."""
    normal: Tensor = torch.special.ndtri(share)
    return normal.clamp(-5, 5)


def log_snr_range(process: NoiseProcess) -> tuple[float, float]:
    """Return log-SNR at the last and at the first time; where nothing of the data is left, -20 in its place."""
    ends = torch.tensor([1.0, process.least_time], dtype=torch.float64, device="cpu")
    alpha, sigma = process.alpha_sigma(ends)
    low, high = (2 * (torch.log(alpha) - torch.log(sigma))).tolist()
    return max(low, LEAST_LOG_SNR), high
