"""Whether chains have mixed: the potential scale reduction factor and the effective sample size.

``draws`` is (chains, steps, ...): the values measured of each chain at each step; results have the shape (...).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["effective_sample_size", "split_r_hat"]


def split_r_hat(draws: Tensor) -> Tensor:
    """Return the potential scale reduction factor of half chains: 1 where all agree, NaN where nothing ever moves.

    Gelman et al. 2013 (BDA3), sec. 11.4.

    >>> _ = torch.manual_seed(0)
    >>> abs(split_r_hat(torch.randn(8, 500)) - 1) < 0.02
    tensor(True)
    """
    half = draws.shape[1] // 2
    halves = torch.cat((draws[:, :half], draws[:, -half:])).double()  # (2 chains, half, ...)
    within, between = halves.var(1).mean(0), halves.mean(1).var(0)
    return ((half - 1) / half + between / within).sqrt()


def effective_sample_size(draws: Tensor) -> Tensor:
    """Return how many independent draws give the mean as precisely as these, NaN where nothing ever moves.

    Autocorrelations are pooled over chains (BDA3, sec. 11.5) and summed in pairs by the initial monotone sequence (Geyer 1992,
    sec. 3.3).

    >>> _ = torch.manual_seed(0)
    >>> 3000 < float(effective_sample_size(torch.randn(8, 500))) < 5000
    True
    """
    draws = draws.double()
    chains, steps = draws.shape[:2]
    centred = draws - draws.mean(1, keepdim=True)
    spectrum = torch.fft.rfft(centred, n=2 * steps, dim=1)
    autocovariance = torch.fft.irfft(spectrum.abs().square(), n=2 * steps, dim=1)[:, :steps].mean(0) / steps  # (steps, ...)
    within = autocovariance[0] * steps / (steps - 1)
    between = draws.mean(1).var(0) if chains > 1 else torch.zeros_like(within)
    total = within * (steps - 1) / steps + between
    correlation = 1 - (within - autocovariance) / total
    correlation[0] = 1.0
    pairs = correlation[: steps // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    positive = (pairs > 0).cumprod(0)
    monotone = (pairs * positive).cummin(0).values
    result: Tensor = chains * steps / (2 * monotone.sum(0) - 1)
    return torch.where(total > 0, result, torch.nan)
