"""Variance-preserving processes, alpha² + sigma² = 1, in continuous time and as chains of steps.

Ho et al. 2020, eq. 4; Song et al. 2021b, eq. 11. Where the signal-to-noise ratio at time 1 is to be zero, alpha is shifted and
scaled so that it ends at 0: Lin et al. 2024, algorithm 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Final

import torch
from torch import Tensor

from genframe import Real

from .choices import Schedule
from .processes import ANY_DATA, NoisingProcess

__all__ = ["ContinuousVP", "CosineVP", "DiscreteVP", "LinearVP", "LogSNRVP"]

BETA_RANGE: Final = (0.1, 20.0)  # of Ho et al. 2020, for a chain of length 1
COSINE_OFFSET: Final = 0.008
COSINE_ANGLES: Final = (COSINE_OFFSET / (1 + COSINE_OFFSET) * math.pi / 2, math.acos(1e-4))  # the last leaves log-SNR -18
MOST_BETA: Final = 0.999


class ContinuousVP(NoisingProcess):
    """alpha² = sigmoid(log-SNR) in continuous time. Root of the three schedules.

    :param data: the space of the data, as :class:`NoisingProcess` takes it.
    :param least_time: the least time at which a denoiser is asked.
    :param zero_terminal_snr: rescale alpha to end at 0, so that time 1 is noise alone.
    """

    def __init__(self, data: Real = ANY_DATA, least_time: float = 1e-3, *, zero_terminal_snr: bool = False) -> None:
        super().__init__(data, least_time)
        self.zero_terminal_snr = zero_terminal_snr

    @abstractmethod
    def log_snr(self, time: Tensor) -> Tensor:
        """Return log(alpha² / sigma²) of the schedule before any rescaling: (B,) -> (B,)."""

    @abstractmethod
    def time_of(self, log_snr: Tensor) -> Tensor:
        """Return the inverse of :meth:`log_snr`: (B,) -> (B,)."""

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and the root of 1 - alpha²: (B,), (B,)."""
        log_snr = self.log_snr(time)
        if not self.zero_terminal_snr:
            return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()
        first, last = self._alpha_ends()
        alpha = (torch.sigmoid(log_snr).sqrt() - last) * (first / (first - last))
        return alpha.clamp(min=0), (1 - alpha.square()).clamp(min=0).sqrt()

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return the time at which log-SNR has a value: (B,) -> (B,)."""
        if self.zero_terminal_snr:
            first, last = self._alpha_ends()
            squared = (torch.sigmoid(log_snr).sqrt() * ((first - last) / first) + last).square()
            log_snr = torch.log(squared) - torch.log1p(-squared)
        return self.time_of(log_snr).clamp(self.least_time, 1)

    def _alpha_ends(self) -> tuple[float, float]:
        ends = self.log_snr(torch.tensor([self.least_time, 1.0], dtype=torch.float64, device="cpu"))
        first, last = torch.sigmoid(ends).sqrt().tolist()
        return first, last


class LinearVP(ContinuousVP):
    """alpha² = exp(-∫ beta), where beta grows linearly from 0.1 to 20. Ho et al. 2020, sec. 4; Song et al. 2021b, eq. 33.

    >>> alpha, sigma = LinearVP().alpha_sigma(torch.tensor([0.0, 0.5, 1.0]))
    >>> alpha
    tensor([1.0000, 0.2812, 0.0066])
    """

    def log_snr(self, time: Tensor) -> Tensor:
        """Return log-SNR: (B,) -> (B,)."""
        low, high = BETA_RANGE
        return -torch.log(torch.expm1(low * time + 0.5 * (high - low) * time.square()))

    def time_of(self, log_snr: Tensor) -> Tensor:
        """Return the inverse: (B,) -> (B,)."""
        low, high = BETA_RANGE
        integral = torch.nn.functional.softplus(-log_snr)  # minus the logarithm of alpha²
        return 2 * integral / (low + torch.sqrt(low**2 + 2 * (high - low) * integral))


class CosineVP(ContinuousVP):
    """alpha is a cosine of time. Nichol & Dhariwal 2021, eq. 17, but for the last alpha, which is 1e-4 and not 0.

    >>> alpha, sigma = CosineVP().alpha_sigma(torch.tensor([0.0, 0.5, 0.9]))
    >>> alpha
    tensor([1.0000, 0.7028, 0.1553])
    """

    def log_snr(self, time: Tensor) -> Tensor:
        """Return log-SNR: (B,) -> (B,)."""
        first, last = COSINE_ANGLES
        squared = (torch.cos(first + (last - first) * time) / math.cos(first)).square()
        return torch.log(squared) - torch.log1p(-squared)

    def time_of(self, log_snr: Tensor) -> Tensor:
        """Return the inverse: (B,) -> (B,)."""
        first, last = COSINE_ANGLES
        return (torch.acos(torch.sigmoid(log_snr).sqrt() * math.cos(first)) - first) / (last - first)


class LogSNRVP(ContinuousVP):
    """log-SNR falls linearly. Kingma et al. 2021, app. H.

    :param ends: log-SNR at time 0 and at time 1.

    >>> alpha, sigma = LogSNRVP(ends=(10.0, -10.0)).alpha_sigma(torch.tensor([0.5]))
    >>> (alpha / sigma).log()
    tensor([0.])
    """

    def __init__(
        self,
        data: Real = ANY_DATA,
        least_time: float = 1e-3,
        *,
        ends: tuple[float, float] = (10.0, -10.0),
        zero_terminal_snr: bool = False,
    ) -> None:
        super().__init__(data, least_time, zero_terminal_snr=zero_terminal_snr)
        self.ends = ends

    def log_snr(self, time: Tensor) -> Tensor:
        """Return log-SNR: (B,) -> (B,)."""
        first, last = self.ends
        return first + (last - first) * time

    def time_of(self, log_snr: Tensor) -> Tensor:
        """Return the inverse: (B,) -> (B,)."""
        first, last = self.ends
        return (log_snr - first) / (last - first)


class DiscreteVP(NoisingProcess):
    """A chain of steps; step i of T is at time i / T, and log-SNR is linear between steps.

    :param data: the space of the data, as :class:`NoisingProcess` takes it.
    :param steps: the length T of the chain, at least 2.
    :param schedule: what falls how: ``linear`` betas, a ``cosine`` alpha, or a linear ``log_snr``.
    :param ends: log-SNR before the first step and at the last, for the schedule ``log_snr``.
    :param zero_terminal_snr: rescale alpha to end at 0, so that the last step is noise alone.

    >>> alpha, sigma = DiscreteVP(steps=1000).alpha_sigma(torch.tensor([0.001, 0.5, 1.0]))
    >>> alpha
    tensor([0.9999, 0.2803, 0.0064])
    """

    log_snrs: Tensor
    steps: int

    def __init__(
        self,
        data: Real = ANY_DATA,
        steps: int = 1000,
        schedule: Schedule = "linear",
        *,
        ends: tuple[float, float] = (10.0, -10.0),
        zero_terminal_snr: bool = False,
    ) -> None:
        super().__init__(data, least_time=1 / steps)
        self.steps = steps
        log_snrs = _log_snrs(steps, schedule, ends, zero_terminal_snr)
        self.register_buffer("log_snrs", log_snrs, persistent=False)

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and the root of 1 - alpha²: (B,), (B,)."""
        table = self.log_snrs.to(time)
        place = (time * self.steps - 1).clamp(0, self.steps - 1)
        before = place.floor().clamp(max=self.steps - 2)
        share, index = place - before, before.long()
        low, high = table[index], table[index + 1]
        between = torch.where(share == 0, low, low + share * (high - low))
        log_snr = torch.where(share == 1, high, between)  # the last may be infinite
        return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return the time at which log-SNR has a value: (B,) -> (B,)."""
        table = self.log_snrs.to(log_snr)
        above = torch.searchsorted(-table, -log_snr.contiguous()).clamp(1, self.steps - 1)
        low, high = table[above - 1], table[above]
        share = ((log_snr - low) / (high - low)).clamp(0, 1).nan_to_num(1.0)
        return (above + share) / self.steps

    def training_time(self, share: Tensor) -> Tensor:
        """Return the time of a step, each as often: (B,) in [0, 1) -> (B,)."""
        return (torch.floor(share * self.steps) + 1).clamp(max=self.steps) / self.steps


def _log_snrs(steps: int, schedule: Schedule, ends: tuple[float, float], zero_terminal_snr: bool) -> Tensor:
    """Return log-SNR after each step, in float64: (T,)."""
    if schedule == "log_snr":
        first, last = ends
        log_snrs = first + (last - first) * (torch.arange(1, steps + 1, dtype=torch.float64) / steps)
        if not zero_terminal_snr:
            return log_snrs
        alphas = torch.sigmoid(log_snrs).sqrt()
    else:
        alphas = torch.cumprod(1 - _betas(steps, schedule), 0).sqrt()
    if zero_terminal_snr:
        alphas = (alphas - alphas[-1]) * (alphas[0] / (alphas[0] - alphas[-1]))
    return 2 * torch.log(alphas) - torch.log1p(-alphas.square())


def _betas(steps: int, schedule: Schedule) -> Tensor:
    """Return the share of the variance that each step replaces, in float64: (T,)."""
    if schedule == "linear":
        low, high = (beta / steps for beta in BETA_RANGE)
        return torch.linspace(low, high, steps, dtype=torch.float64).clamp(max=MOST_BETA)
    angles = (torch.arange(steps + 1, dtype=torch.float64) / steps + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2
    squared = torch.cos(angles).square()
    return (1 - squared[1:] / squared[:-1]).clamp(max=MOST_BETA)
