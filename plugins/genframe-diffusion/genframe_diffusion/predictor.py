"""Predictions of clean data along a walk: with guidance, and within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from genframe import Context
from genframe.types import Denoiser, NoiseProcess

from .denoiser import spread
from .points import Point, points
from .traits import Denoise

__all__ = ["Guidance", "Predictor"]


@dataclass(frozen=True)
class Guidance:
    """How far predictions follow the context: D(nothing) + weight · (D(context) - D(nothing)). Ho & Salimans 2021, eq. 6.

    ``interval``: the times between which they are guided (Kynkäänniemi et al. 2024). ``rescale``: the share by which guided
    predictions keep their standard deviation (Lin et al. 2024, eq. 16).

    >>> Guidance(3.0, interval=(0.2, 0.8)).weight
    3.0
    """

    weight: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    rescale: float = 0.0


PLAIN: Final = Guidance()


class Predictor:
    """Predicts clean data along one walk, for one batch of contexts.

    :param denoise: a function or module of noisy data (n, ...) and time (n,), or a part with such a method ``denoise``.
        Where there is a context it is the third argument; ``None`` there stands for leaving it out.
    :param process: the process whose noise is removed.
    :param context: the context of each row. Where it has ``nothing``, guidance goes away from the prediction by that.
    :param guidance: how far the context is followed.
    :param bounds: the least and the greatest value of clean data, to which predictions are clamped.

    >>> from genframe_diffusion import StraightPaths
    >>> predict = Predictor(lambda noisy, time: noisy, StraightPaths(), bounds=(-1.0, 1.0))
    >>> predict(torch.tensor([[-2.0, 0.5]]), predict.first)
    tensor([[-1.0000,  0.5000]])
    """

    def __init__(
        self,
        denoise: Denoise | Denoiser,
        process: NoiseProcess,
        context: Any = None,
        guidance: Guidance = PLAIN,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        self._denoise = denoise.denoise if isinstance(denoise, Denoiser) else denoise
        self.process, self.context, self.guidance, self.bounds = process, context, guidance, bounds
        self._nothing = context.nothing if isinstance(context, Context) else None
        (self.first,) = points(process, [1.0])
        self.straight = not self.first.alpha

    def __call__(self, noisy: Tensor, point: Point) -> Tensor:
        """Return predicted clean data: (n, ...) -> (n, ...)."""
        low, high = self.guidance.interval
        weight = self.guidance.weight if low <= point.time <= high else 1.0
        return self._predicted(noisy, noisy.new_full((len(noisy),), point.time), weight)

    def denoise(self, noisy: Tensor, time: Tensor) -> Tensor:
        """Return predicted clean data, each row at a time of its own: (n, ...), (n,) -> (n, ...)."""
        if self.guidance.weight == 1:
            return self._predicted(noisy, time, 1.0)
        low, high = self.guidance.interval
        weight = torch.where((low <= time) & (time <= high), self.guidance.weight, 1.0)
        return self._predicted(noisy, time, spread(weight, noisy))

    def _predicted(self, noisy: Tensor, time: Tensor, weight: float | Tensor) -> Tensor:
        if self.context is None:
            clean = self._denoise(noisy, time)
        else:
            clean = self._denoise(noisy, time, self.context)
            if isinstance(weight, Tensor) or weight != 1:
                clean = self._guided(clean, self._denoise(noisy, time, self._nothing), weight)
        return clean if self.bounds is None else clean.clamp(*self.bounds)

    def _guided(self, clean: Tensor, without: Tensor, weight: float | Tensor) -> Tensor:
        """Return the prediction moved away from that without a context."""
        guided = torch.lerp(without, clean, weight)
        if not self.guidance.rescale:
            return guided
        own, moved = (each.flatten(1).std(1) for each in (clean, guided))
        return torch.lerp(guided, guided * spread(own / moved, clean), self.guidance.rescale)
