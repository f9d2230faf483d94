"""The variational bound on log p(x) of a diffusion model. Kingma et al. 2021, eq. 11; Ho et al. 2020, eq. 5."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genframe import Context, normal_like
from genframe.types import GaussianExpectation

from .denoiser import spread
from .points import Point, points
from .times import log_snr_range

if TYPE_CHECKING:
    from .denoiser import DenoisingDecoder
    from .processes import NoisingProcess

__all__ = ["variational_bound"]

LOG_2PI_E = math.log(2 * math.pi * math.e)


def variational_bound(
    decoder: DenoisingDecoder,
    x: Tensor,
    prior: Any,
    context: Context | None = None,
    *,
    samples: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Return the bound on log p(x) in nats, an estimate by ``samples`` times for each example: (B, ...) -> (B,).

    It has three terms: the log-likelihood of the data given the least noisy data, minus the cost of denoising in between (in
    continuous time, or over the steps of a chain), minus the divergence of the noisiest data from the prior. On discrete data
    it bounds a probability, with the likelihood of each level by the least noisy data (Kingma et al. 2021, eq. 50).
    """
    process = decoder.process
    clean = process.standardise(x)
    first, last = _ends(process)
    return (
        _reconstruction(process, clean, first, generator)
        - _denoising(decoder, clean, context, samples, generator)
        - _prior_cost(process, clean, last, prior, context, generator)
    )


def _ends(process: NoisingProcess) -> tuple[Point, Point]:
    """Return the points of the least noisy and of the noisiest data."""
    low, high = log_snr_range(process)
    times = process.time_at(torch.tensor([high, low], dtype=torch.float64, device="cpu")).tolist()
    first, last = points(process, times)
    return first, last


def _reconstruction(process: NoisingProcess, clean: Tensor, first: Point, generator: Generator | None) -> Tensor:
    """Return E log p(x | y_first) in nats: (B,)."""
    data = process.data
    if not data.discrete or data.levels is None or data.low is None or data.high is None:
        density = -0.5 * clean.shape[1:].numel() * (LOG_2PI_E + 2 * math.log(first.ratio)) + process.log_det(clean)
        return density.expand(len(clean)).to(clean.dtype)
    levels = process.standardise(torch.linspace(data.low, data.high, data.levels, device=clean.device, dtype=clean.dtype))
    noisy = clean + first.ratio * normal_like(clean, generator)  # of y_first / alpha
    logits = -0.5 * ((noisy[..., None] - levels) / first.ratio).square()
    index = (clean[..., None] - levels).abs().argmin(-1, keepdim=True)
    return F.log_softmax(logits, -1).gather(-1, index).flatten(1).sum(1)


def _denoising(
    decoder: DenoisingDecoder, clean: Tensor, context: Context | None, samples: int, generator: Generator | None
) -> Tensor:
    """Return the cost of denoising between the first and the last time, in nats: (B,)."""
    process = decoder.process
    total = torch.zeros(len(clean), dtype=torch.float64, device=clean.device)
    for number in range(samples):
        share = (number + torch.rand(len(clean), generator=generator, device=clean.device, dtype=torch.float64)) / samples
        time, weight = _weighted_times(process, share)
        alpha, sigma = process.alpha_sigma(time)
        noisy = spread(alpha, clean) * clean + spread(sigma, clean) * normal_like(clean, generator)
        error = (clean - decoder.denoise(noisy, time.to(clean.dtype), context)).double().square().flatten(1).sum(1)
        total += weight * error
    return total / samples


def _weighted_times(process: NoisingProcess, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return times for a share of the way, with the weight of the squared error there: (B,) -> (B,), (B,)."""
    steps = process.steps
    if steps is None:
        low, high = log_snr_range(process)
        log_snr = high + (low - high) * share
        return process.time_at(log_snr), 0.5 * (high - low) * torch.exp(log_snr)
    number = torch.floor(share * (steps - 1)) + 2  # of the chain's steps from 2 to the last
    snr, snr_before = (_snr(process, (number - back) / steps) for back in (0, 1))
    return number / steps, 0.5 * (steps - 1) * (snr_before - snr)


def _snr(process: NoisingProcess, time: Tensor) -> Tensor:
    alpha, sigma = process.alpha_sigma(time)
    return (alpha / sigma).square()


def _prior_cost(
    process: NoisingProcess, clean: Tensor, last: Point, prior: Any, context: Context | None, generator: Generator | None
) -> Tensor:
    """Return the divergence of the noisiest data from the prior in nats, between codes: (B,)."""
    scale = math.hypot(last.alpha * process.data_deviation, last.sigma)
    mean, deviation = (last.alpha / scale) * clean, last.sigma / scale
    entropy = 0.5 * clean.shape[1:].numel() * (LOG_2PI_E + 2 * math.log(deviation))
    if isinstance(prior, GaussianExpectation):
        expected = prior.expected_log_prob(mean, torch.full_like(mean, deviation**2), context)
    else:
        expected = prior.log_prob(mean + deviation * normal_like(clean, generator), context)
    return -entropy - expected
