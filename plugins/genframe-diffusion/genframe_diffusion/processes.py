"""Noising processes: schedules of signal and noise, and the units in which noise is added."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Final

import torch
from torch import Tensor

from genframe import Context, Encoder, Real

from .specs.processes import EDM, VP, Process, Rectified

__all__ = ["ContinuousVP", "DiscreteVP", "NoisingProcess", "StraightPaths", "VarianceExploding"]

BETA_RANGE: Final = (0.1, 20.0)  # of Ho et al. 2020, for a chain of length 1
COSINE_OFFSET: Final = 0.008
COSINE_ANGLES: Final = (COSINE_OFFSET / (1 + COSINE_OFFSET) * math.pi / 2, math.acos(1e-4))  # the last leaves log-SNR -18
MOST_BETA: Final = 0.999
BOUNDED_DEVIATION: Final = 0.5  # of images in [-1, 1]: Karras et al. 2022, table 1
LEAST_DEVIATION: Final = 1e-6


class NoisingProcess(Encoder):
    """y_t = alpha(t) y + sigma(t) noise, with y the data in standard units and t from 0 to 1.

    Subclasses give ``alpha_sigma`` and ``time_at``, each the other's inverse.
    """

    mean: Tensor
    deviation: Tensor
    steps: int | None = None

    def __init__(self, spec: Process, data: Real) -> None:
        super().__init__()
        self.data = data
        self.least_time = 0.0
        self.data_deviation = BOUNDED_DEVIATION if data.bounded else 1.0
        channels = (data.shape[0], *(1 for _ in data.shape[1:])) if data.shape else ()
        if data.low is not None and data.high is not None:
            mean, deviation = (data.low + data.high) / 2, (data.high - data.low) / 2
            self.register_buffer("mean", torch.full((), mean), persistent=False)
            self.register_buffer("deviation", torch.full((), deviation), persistent=False)
        else:
            self.register_buffer("mean", torch.zeros(channels))
            self.register_buffer("deviation", torch.ones(channels))

    @abstractmethod
    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scale of the signal and of the noise: (B,) -> (B,), (B,)."""

    @abstractmethod
    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return the time at which log(alpha² / sigma²) has a value: (B,) -> (B,)."""

    def training_time(self, share: Tensor) -> Tensor:
        """Return the time at a share of those that are trained: (B,) in [0, 1) -> (B,)."""
        return self.least_time + (1 - self.least_time) * share

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Measure mean and deviation of each channel of data (N, ...) that have no bounds."""
        if self.data.bounded:
            return
        axes = [axis for axis in range(x.dim()) if axis != 1]
        double = x.double()
        self.mean.copy_(double.mean(axes, keepdim=True)[0])
        self.deviation.copy_(double.std(axes, correction=0, keepdim=True)[0].clamp(min=LEAST_DEVIATION))

    def standardise(self, x: Tensor) -> Tensor:
        """Return data in standard units: (B, ...) -> (B, ...)."""
        return (x - self.mean) / self.deviation

    def restore(self, y: Tensor) -> Tensor:
        """Return data in their own units and within their bounds: (B, ...) -> (B, ...)."""
        x = y * self.deviation + self.mean
        return x.clamp(self.data.low, self.data.high) if self.data.bounded else x

    def log_det(self) -> Tensor:
        """Return log |det dy/dx| of standardising a datum, in nats: ()."""
        return -self.deviation.double().expand(self.data.shape).log().sum()

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean of the noisiest data: (B, ...) -> (B, ...)."""
        return self._ends()[0] * self.standardise(x)

    def code(self, latent: Tensor) -> Tensor:
        """Return the noisiest data at unit scale: (B, ...) -> (B, ...)."""
        return latent / self.end_scale()

    def latent(self, code: Tensor) -> Tensor:
        """Return the noisiest data of codes: (B, ...) -> (B, ...)."""
        return code * self.end_scale()

    def end_scale(self) -> float:
        """Return the deviation of the noisiest data."""
        alpha, sigma = self._ends()
        return math.hypot(alpha * self.data_deviation, sigma)

    def _ends(self) -> tuple[float, float]:
        alpha, sigma = self.alpha_sigma(torch.ones((), dtype=torch.float64, device="cpu"))
        return float(alpha), float(sigma)


class ContinuousVP(NoisingProcess):
    """alpha² = sigmoid(log-SNR) in continuous time."""

    def __init__(self, spec: VP, data: Real) -> None:
        super().__init__(spec, data)
        self.spec = spec
        self.least_time = spec.least_time

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and the root of 1 - alpha²: (B,), (B,)."""
        log_snr = self._log_snr(time)
        if not self.spec.zero_terminal_snr:
            return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()
        first, last = self._alpha_ends()
        alpha = (torch.sigmoid(log_snr).sqrt() - last) * (first / (first - last))
        return alpha.clamp(min=0), (1 - alpha.square()).clamp(min=0).sqrt()

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return the inverse of the schedule."""
        if self.spec.zero_terminal_snr:
            first, last = self._alpha_ends()
            squared = (torch.sigmoid(log_snr).sqrt() * ((first - last) / first) + last).square()
            log_snr = torch.log(squared) - torch.log1p(-squared)
        return self._time(log_snr).clamp(self.least_time, 1)

    def _alpha_ends(self) -> tuple[float, float]:
        ends = self._log_snr(torch.tensor([self.least_time, 1.0], dtype=torch.float64, device="cpu"))
        first, last = torch.sigmoid(ends).sqrt().tolist()
        return first, last

    def _log_snr(self, time: Tensor) -> Tensor:
        match self.spec.schedule:
            case "linear":
                low, high = BETA_RANGE
                return -torch.log(torch.expm1(low * time + 0.5 * (high - low) * time.square()))
            case "cosine":
                first, last = COSINE_ANGLES
                squared = (torch.cos(first + (last - first) * time) / math.cos(first)).square()
                return torch.log(squared) - torch.log1p(-squared)
            case "log_snr":
                first, last = self.spec.log_snr
                return first + (last - first) * time

    def _time(self, log_snr: Tensor) -> Tensor:
        match self.spec.schedule:
            case "linear":
                low, high = BETA_RANGE
                integral = torch.nn.functional.softplus(-log_snr)  # minus the logarithm of alpha²
                return 2 * integral / (low + torch.sqrt(low**2 + 2 * (high - low) * integral))
            case "cosine":
                first, last = COSINE_ANGLES
                return (torch.acos(torch.sigmoid(log_snr).sqrt() * math.cos(first)) - first) / (last - first)
            case "log_snr":
                first, last = self.spec.log_snr
                return (log_snr - first) / (last - first)


class DiscreteVP(NoisingProcess):
    """A chain of steps; step i of T is at time i / T, and log-SNR is linear between steps."""

    log_snrs: Tensor
    steps: int

    def __init__(self, spec: VP, data: Real) -> None:
        super().__init__(spec, data)
        assert spec.steps is not None
        self.steps = spec.steps
        self.least_time = 1 / spec.steps
        self.register_buffer("log_snrs", _chain(spec, spec.steps), persistent=False)

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
        """Return the inverse of the chain's interpolation."""
        table = self.log_snrs.to(log_snr)
        above = torch.searchsorted(-table, -log_snr.contiguous()).clamp(1, self.steps - 1)
        low, high = table[above - 1], table[above]
        share = ((log_snr - low) / (high - low)).clamp(0, 1).nan_to_num(1.0)
        return (above + share) / self.steps

    def training_time(self, share: Tensor) -> Tensor:
        """Return the time of a step, each as often: (B,) -> (B,)."""
        return (torch.floor(share * self.steps) + 1).clamp(max=self.steps) / self.steps


def _chain(spec: VP, steps: int) -> Tensor:
    """Return log-SNR of each step of the chain, in float64: (T,)."""
    times = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    match spec.schedule:
        case "linear":
            low, high = (beta / steps for beta in BETA_RANGE)
            betas = torch.linspace(low, high, steps, dtype=torch.float64).clamp(max=MOST_BETA)
        case "cosine":
            angles = (torch.arange(steps + 1, dtype=torch.float64) / steps + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2
            squared = torch.cos(angles).square()
            betas = (1 - squared[1:] / squared[:-1]).clamp(max=MOST_BETA)
        case "log_snr":
            first, last = spec.log_snr
            return first + (last - first) * times
    alphas = torch.cumprod(1 - betas, 0).sqrt()
    if spec.zero_terminal_snr:
        alphas = (alphas - alphas[-1]) * (alphas[0] / (alphas[0] - alphas[-1]))
    return 2 * torch.log(alphas) - torch.log1p(-alphas.square())


class VarianceExploding(NoisingProcess):
    """alpha = 1, and the logarithm of sigma linear in time."""

    def __init__(self, spec: EDM, data: Real) -> None:
        super().__init__(spec, data)
        self.low, self.high = math.log(spec.sigma_min), math.log(spec.sigma_max)

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return ones and sigma: (B,), (B,)."""
        return torch.ones_like(time), torch.exp(self.low + (self.high - self.low) * time)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return where log sigma is between its ends, within [0, 1]."""
        return ((-0.5 * log_snr - self.low) / (self.high - self.low)).clamp(0, 1)


class StraightPaths(NoisingProcess):
    """alpha = 1 - t, sigma = t."""

    def __init__(self, spec: Rectified, data: Real) -> None:
        super().__init__(spec, data)
        self.least_time = spec.least_time

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - t and t: (B,), (B,)."""
        return 1 - time, time

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return the logistic function of minus half of log-SNR."""
        return torch.sigmoid(-0.5 * log_snr)
