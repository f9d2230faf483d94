"""Steps of sampling methods, from one point of a process to another, in terms of predicted clean data."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Generator, Tensor

from genframe import normal_like

from .flow import Way
from .integration import integrate
from .points import Point

if TYPE_CHECKING:
    from .specs.samplers import Churned
    from .walking import Predictor

__all__ = ["AdaptiveStep", "MultistepStep", "PredictorCorrectorStep", "RungeKuttaStep", "Step", "UniPCStep", "noised"]

MOST_CHURN: Final = math.sqrt(2) - 1
FIRST_SHARE: Final = 0.1  # of a leg, for the first of its adaptive steps


class Step(ABC):
    """One step of a method; those that look back keep what they need of a single walk."""

    @abstractmethod
    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return noisy data at ``there`` from those at ``here``: (n, ...) -> (n, ...)."""


def carried(x: Tensor, clean: Tensor, here: Point, there: Point, sigma: float) -> Tensor:
    """Return alpha · clean + sigma · noise at ``there``, with the noise that ``x`` has at ``here``: (n, ...) -> (n, ...)."""
    share = sigma / here.sigma
    return (share * x).add_(clean, alpha=there.alpha - share * here.alpha)


def noised(x: Tensor, here: Point, there: Point, generator: Generator | None) -> Tensor:
    """Return data with the noise that the process adds between two points: (n, ...) -> (n, ...)."""
    share = there.alpha / here.alpha
    added = math.sqrt(max(0.0, there.sigma**2 - (share * here.sigma) ** 2))
    return (share * x).add_(normal_like(x, generator), alpha=added)


class MultistepStep(Step):
    """Predicted data carried over, and of the noise that q(y_s | y_t, y) has a share ``eta`` drawn anew.

    Of ``order`` 1 it is Song et al. 2021a, eq. 12 and 16; ``large`` draws with the posterior's variance for data of unit
    variance (Ho et al. 2020, sec. 3.2). Of order 2 data are extrapolated over log-SNR from two predictions: Lu et al. 2022b,
    algorithm 2, and with ``eta`` 1 its SDE variant; the first step, and the last to clean data, are of order 1.
    """

    def __init__(self, *, eta: float = 0.0, order: int = 1, large: bool = False) -> None:
        self.eta, self.order, self.large = eta, order, large
        self.before: Tensor | None = None
        self.last_width = math.inf

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        clean = predict(x, here)
        if self.order == 2:
            clean = self._extrapolated(clean, there.log_ratio - here.log_ratio)
        if not self.eta or not there.sigma:
            return carried(x, clean, here, there, there.sigma)
        left = 1 - (here.alpha * there.sigma / (there.alpha * here.sigma)) ** 2  # of the noise's variance, drawn anew
        drawn = self.eta * there.sigma * math.sqrt(left)
        kept = carried(x, clean, here, there, math.sqrt(there.sigma**2 - drawn**2))
        if self.large:
            drawn = here.sigma * math.sqrt(left) * math.hypot(there.alpha, there.sigma) / math.hypot(here.alpha, here.sigma)
        return kept.add_(normal_like(x, generator), alpha=drawn)

    def _extrapolated(self, clean: Tensor, width: float) -> Tensor:
        """Return data at the middle of a step of ``width`` in log(alpha / sigma)."""
        before, last_width = self.before, self.last_width
        self.before, self.last_width = clean, width
        if before is None or not math.isfinite(width):
            return clean
        return torch.lerp(before, clean, 1 + width / (2 * last_width))


class UniPCStep(Step):
    """A polynomial through predictions, integrated over log-SNR; first corrected by the new prediction. Zhao et al. 2023.

    Predictor (eq. 9) and corrector (eq. 3) differ in what stands for the data over a step: a combination of the predictions
    before it, and one with the prediction at its end as well. The step to clean data takes one prediction.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self.known: list[tuple[float, Tensor]] = []  # places log(alpha / sigma) and predictions there, the newest first
        self.used: Tensor | None = None
        self.gain = 0.0

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        clean = predict(x, here)
        if self.used is not None:
            corrected = self._combined(here.log_ratio, clean)
            x = torch.add(x, corrected.sub_(self.used), alpha=self.gain)
        self.known = [(here.log_ratio, clean), *self.known[: self.order - 1]]
        self.used = self._combined(there.log_ratio)
        share = there.sigma / here.sigma
        self.gain = there.alpha - share * here.alpha
        return (share * x).add_(self.used, alpha=self.gain)

    def _combined(self, end: float, there: Tensor | None = None) -> Tensor:
        """Return what stands for the data between the newest place and ``end``, given the prediction ``there`` too."""
        (start, newest), *older = self.known
        width = end - start
        others = [((place - start) / width, clean) for place, clean in older] if math.isfinite(width) else []
        others = [(place, clean) for place, clean in others if math.isfinite(place)]
        if there is not None:
            others.append((1.0, there))
        combined = newest.clone()
        for weight, (_, clean) in zip(_weights([place for place, _ in others], width), others, strict=True):
            combined += weight * (clean - newest)
        return combined


def _weights(places: list[float], width: float) -> list[float]:
    """Return the weights of the differences at ``places``, in units of the step: Zhao et al. 2023, theorem 3.1, with B_2.

    A single difference takes a half of its slope, whatever the width (ibid., appendix F).
    """
    if len(places) <= 1:
        return [0.5 / place for place in places]
    change = math.expm1(-width)
    moment, factorial, moments = change / -width - 1, 1, []
    for degree in range(1, len(places) + 1):
        moments.append(moment * factorial / change)
        factorial *= degree + 1
        moment = moment / -width - 1 / factorial
    solved = np.linalg.solve(np.vander(places, increasing=True).T, moments)
    return [float(weight) / place for weight, place in zip(solved, places, strict=True)]


class RungeKuttaStep(Step):
    """Euler's or Heun's step along the probability flow, after churn. Karras et al. 2022, algorithm 2.

    For y = x / c and u = sigma / c the flow is dy/du = noise - k · data. Where something of the data is left at the last time,
    c is alpha and k is 0, so that u is the noise-to-signal ratio; else c is alpha + sigma and k is 1, so that u ends at 1.
    """

    def __init__(self, spec: Churned, order: int) -> None:
        self.spec, self.order = spec, order

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        x, here = self._churned(x, here, predict, generator)
        clean = predict(x, here)
        reached = carried(x, clean, here, there, there.sigma)
        if self.order == 1 or not there.sigma:
            return reached
        straight = predict.straight
        slope = _slope(x, clean, here, straight) + _slope(reached, predict(reached, there), there, straight)
        (scale, place), (next_scale, next_place) = _coordinates(here, straight), _coordinates(there, straight)
        return (next_scale / scale * x).add_(slope, alpha=0.5 * next_scale * (next_place - place))

    def _churned(self, x: Tensor, here: Point, predict: Predictor, generator: Generator | None) -> tuple[Tensor, Point]:
        """Return data with noise added back, and where they are then; as they were where that is before the first time."""
        low, high = self.spec.churn_interval
        if not self.spec.churn or not low <= here.time <= high or not here.alpha:
            return x, here
        ratio = here.ratio * (1 + min(self.spec.churn / self.spec.steps, MOST_CHURN))
        if ratio >= predict.first.ratio:
            return x, here
        back = predict.point_at(ratio)
        added = self.spec.churn_noise * back.alpha * math.sqrt(back.ratio**2 - here.ratio**2)
        return (back.alpha / here.alpha * x).add_(normal_like(x, generator), alpha=added), back


def _coordinates(point: Point, straight: bool) -> tuple[float, float]:
    """Return c and u."""
    scale = point.alpha + point.sigma if straight else point.alpha
    return scale, point.sigma / scale


def _slope(x: Tensor, clean: Tensor, point: Point, straight: bool) -> Tensor:
    """Return dy/du: (n, ...) -> (n, ...)."""
    noise = torch.sub(x, clean, alpha=point.alpha).div_(point.sigma)
    return noise.sub_(clean) if straight else noise


class PredictorCorrectorStep(Step):
    """An ancestral step, then Langevin steps at the time it leads to. Song et al. 2021b, algorithms 2 to 5.

    The noise of a Langevin step, of size 2 (snr · sigma)², stands to its score as 1 to snr where the score has its mean norm
    for Gaussian noise, sqrt(dims) / sigma (Song & Ermon 2019, sec. 4.2): a datum's walk depends on no other's.
    """

    def __init__(self, snr: float, corrections: int) -> None:
        self.snr, self.corrections = snr, corrections
        self.predictor = MultistepStep(eta=1.0)

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        x = self.predictor(x, here, there, predict, generator)
        for _ in range(self.corrections if there.sigma else 0):
            moved = 2 * self.snr**2
            x = ((1 - moved) * x).add_(predict(x, there), alpha=moved * there.alpha)
            x.add_(normal_like(x, generator), alpha=2 * self.snr * there.sigma)
        return x


class AdaptiveStep(Step):
    """As many steps along the probability flow as the tolerance asks for; the least noisy data then count as clean."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        if not there.sigma:
            return x / here.alpha
        way = Way(predict, None)
        (scale, _), (next_scale, _) = _coordinates(here, way.straight), _coordinates(there, way.straight)
        y = (x / scale).flatten(1)
        y = integrate(way.slope, y, way.place(here), way.place(there), tolerance=self.tolerance, first=FIRST_SHARE)
        return next_scale * y.reshape(x.shape)
