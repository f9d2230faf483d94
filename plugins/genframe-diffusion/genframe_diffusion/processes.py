"""Noising processes: the units in which noise is added, and schedules of signal and noise."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Final

import torch
from torch import Tensor

from genframe import Context, Encoder, Real

from .points import end_scale

__all__ = ["NoisingProcess", "StraightPaths", "VarianceExploding"]

BOUNDED_DEVIATION: Final = 0.5  # of images in [-1, 1]: Karras et al. 2022, table 1
LEAST_DEVIATION: Final = 1e-6
ANY_DATA: Final = Real(())


class NoisingProcess(Encoder):
    """y_t = alpha(t) y + sigma(t) noise, with y the data in standard units and t from 0 to 1. Root of the processes.

    Subclasses give ``alpha_sigma`` and ``time_at``, each the inverse of the other.

    :param data: the space of the data, which says what their standard units are. Data with bounds are brought to [-1, 1].
        Others are brought to mean 0 and deviation 1 of each channel, which :meth:`initialise` measures. Without a space the
        data are taken as they are.
    :param least_time: the least time at which a denoiser is asked.
    """

    mean: Tensor
    deviation: Tensor
    steps: int | None = None

    def __init__(self, data: Real = ANY_DATA, least_time: float = 0.0) -> None:
        super().__init__()
        self.data = data
        self.least_time = least_time
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
        """Return the time below which a share of the trained times lies: (B,) in [0, 1) -> (B,)."""
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

    def log_det(self, x: Tensor) -> Tensor:
        """Return log |det dy/dx| of standardising an example like those of ``x`` (B, ...), in nats: ()."""
        return -self.deviation.double().expand(x.shape[1:]).log().sum()

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean of the noisiest data: (B, ...) -> (B, ...)."""
        alpha, _ = self.alpha_sigma(torch.ones((), dtype=torch.float64, device="cpu"))
        return float(alpha) * self.standardise(x)

    def code(self, latent: Tensor) -> Tensor:
        """Return the noisiest data at unit scale: (B, ...) -> (B, ...)."""
        return latent / end_scale(self)

    def latent(self, code: Tensor) -> Tensor:
        """Return the noisiest data of codes: (B, ...) -> (B, ...)."""
        return code * end_scale(self)


class VarianceExploding(NoisingProcess):
    """alpha = 1, and the logarithm of sigma is linear in time. Karras et al. 2022, table 1.

    :param data: the space of the data, as :class:`NoisingProcess` takes it.
    :param sigma_min: deviation of the noise at time 0.
    :param sigma_max: deviation of the noise at time 1.

    >>> VarianceExploding(sigma_min=0.01, sigma_max=100.0).alpha_sigma(torch.tensor([0.0, 0.5, 1.0]))[1].log10().round()
    tensor([-2.,  0.,  2.])
    """

    def __init__(self, data: Real = ANY_DATA, sigma_min: float = 0.002, sigma_max: float = 80.0) -> None:
        super().__init__(data)
        self.low, self.high = math.log(sigma_min), math.log(sigma_max)

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return ones and sigma: (B,), (B,)."""
        return torch.ones_like(time), torch.exp(self.low + (self.high - self.low) * time)

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return where log sigma is between its ends, within [0, 1]: (B,) -> (B,)."""
        return ((-0.5 * log_snr - self.low) / (self.high - self.low)).clamp(0, 1)


class StraightPaths(NoisingProcess):
    """alpha = 1 - t, sigma = t: flow matching. Liu et al. 2023, eq. 1; Lipman et al. 2023, eq. 20.

    :param data: the space of the data, as :class:`NoisingProcess` takes it.
    :param least_time: the least time at which a denoiser is asked.

    >>> process = StraightPaths(Real((1, 8, 8), 0, 1))
    >>> process.alpha_sigma(torch.tensor([0.25]))
    (tensor([0.7500]), tensor([0.2500]))
    >>> process.standardise(torch.tensor([0.0, 0.5, 1.0]))
    tensor([-1.,  0.,  1.])
    """

    def __init__(self, data: Real = ANY_DATA, least_time: float = 1e-3) -> None:
        super().__init__(data, least_time)

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - t and t: (B,), (B,)."""
        return 1 - time, time

    def time_at(self, log_snr: Tensor) -> Tensor:
        """Return the logistic function of minus half of log-SNR: (B,) -> (B,)."""
        return torch.sigmoid(-0.5 * log_snr)
