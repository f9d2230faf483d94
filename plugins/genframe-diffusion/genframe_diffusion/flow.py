"""The probability flow: the equation whose solutions lead from data to noise, and the density that it carries along.

With y = x / c and a place s along the way, data lie at the least noise-to-signal ratio and the prior at the greatest. Where
something of the data is left at the last time, c = alpha and s = log(sigma / alpha), and dy/ds = y - D; else c = alpha +
sigma and s = sigma / c, and dy/ds = (y - D) / s. D is the predicted clean data. Song et al. 2021b, eq. 13.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Generator, Tensor

from genframe import Context
from genframe.types import NoiseProcess

from .integration import integrate
from .points import Point, end_scale, points
from .traits import Denoise

if TYPE_CHECKING:
    from .denoiser import DenoisingDecoder

__all__ = ["Way", "flow_log_prob"]

MOST_EXACT_DIMS: Final = 16
TOLERANCE: Final = 1e-5


class Way:
    """The flow of a denoiser between the least and the last time of its process.

    :param denoise: predicts clean data from noisy data (n, ...) and a time (n,).
    :param process: the process whose noise is removed.
    :param shape: the shape of an example; states are flattened.

    >>> from genframe_diffusion import LinearVP
    >>> way = Way(lambda noisy, time: 0 * noisy, LinearVP(), (3, 2))
    >>> y = torch.ones(5, 6)
    >>> torch.equal(way.slope(torch.zeros(5, dtype=torch.float64), y), y)
    True
    """

    def __init__(self, denoise: Denoise, process: NoiseProcess, shape: Sequence[int]) -> None:
        self.denoise, self.process, self.shape = denoise, process, shape
        last, least = points(self.process, [1.0, self.process.least_time])
        self.straight = not last.alpha
        self.start, self.end = self.place(least), self.place(last)
        self.start_scale = least.alpha / self._scale(least)
        self.end_scale = self._scale(last)

    def _scale(self, point: Point) -> float:
        return point.alpha + point.sigma if self.straight else point.alpha

    def place(self, point: Point) -> float:
        """Return s."""
        return point.sigma / self._scale(point) if self.straight else math.log(point.ratio)

    def time_and_scale(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Return time and c at a place of each row, in float64: (n,) -> (n,), (n,)."""
        log_ratio = torch.log(place) - torch.log1p(-place) if self.straight else place
        time = self.process.time_at(-2 * log_ratio)
        alpha, sigma = self.process.alpha_sigma(time)
        return time, alpha + sigma if self.straight else alpha

    def predicted(self, place: Tensor, y: Tensor) -> Tensor:
        """Return D at flattened y: (n,), (n, D) -> (n, D)."""
        time, scale = self.time_and_scale(place)
        noisy = (scale.to(y.dtype)[:, None] * y).reshape(-1, *self.shape)
        return self.denoise(noisy, time.to(y.dtype)).flatten(1)

    def rate(self, place: Tensor) -> Tensor | float:
        """Return what dy/ds is of y - D: (n,) -> (n, 1)."""
        return 1 / place[:, None] if self.straight else 1.0

    def slope(self, place: Tensor, y: Tensor) -> Tensor:
        """Return dy/ds: (n,), (n, D) -> (n, D)."""
        return (self.rate(place) * (y - self.predicted(place, y))).to(y.dtype)


def flow_log_prob(
    decoder: DenoisingDecoder,
    x: Tensor,
    prior: Any,
    context: Context | None = None,
    *,
    probes: int = 1,
    generator: Generator | None = None,
    tolerance: float = TOLERANCE,
) -> Tensor:
    """Return log p(x) in nats under the probability flow: (B, ...) -> (B,).

    The divergence is exact for up to 16 dimensions, or as many as there are ``probes``; else it is Hutchinson's unbiased
    estimate with so many random signs, the same all the way. Song et al. 2021b, eq. 39; Grathwohl et al. 2019.
    """
    process = decoder.process
    way = Way(lambda noisy, time: decoder.denoise(noisy, time, context), process, x.shape[1:])
    y = way.start_scale * process.standardise(x).flatten(1)
    dims = y.shape[1]
    signs = None
    if dims > max(MOST_EXACT_DIMS, probes):
        drawn = torch.rand(probes, *y.shape, generator=generator, device=y.device)
        signs = torch.where(drawn < 0.5, -1.0, 1.0).to(y.dtype)

    def slope(place: Tensor, state: Tensor) -> Tensor:
        with torch.enable_grad():
            y = state[:, :-1].detach().requires_grad_()
            predicted = way.predicted(place, y)
            trace = _exact_trace(predicted, y) if signs is None else _estimated_trace(predicted, y, signs)
        rate = way.rate(place)
        dy = rate * (y.detach() - predicted.detach())
        return torch.cat((dy, rate * (dims - trace[:, None])), 1).to(state.dtype)

    state = integrate(slope, torch.cat((y, torch.zeros_like(y[:, :1])), 1), way.start, way.end, tolerance=tolerance)
    y, divergence = state[:, :-1].reshape(x.shape), state[:, -1]
    end = way.end_scale / end_scale(process)
    log_prob: Tensor = prior.log_prob(end * y, context).double() + dims * (math.log(end) + math.log(way.start_scale))
    return log_prob + divergence.double() + process.log_det(x)


def _exact_trace(predicted: Tensor, y: Tensor) -> Tensor:
    """Return the trace of dD/dy, one gradient a dimension: (n, D), (n, D) -> (n,)."""
    rows = [torch.autograd.grad(column.sum(), y, retain_graph=True)[0] for column in predicted.unbind(1)]
    return torch.stack([row[:, index] for index, row in enumerate(rows)]).sum(0)


def _estimated_trace(predicted: Tensor, y: Tensor, signs: Tensor) -> Tensor:
    """Return Hutchinson's estimate, the mean of v · (dD/dy)ᵀ v over random signs v: (n, D), (n, D), (K, n, D) -> (n,)."""
    products = [(torch.autograd.grad(predicted, y, sign, retain_graph=True)[0] * sign).sum(1) for sign in signs]
    return torch.stack(products).mean(0)
