"""Steps along the probability flow: Euler's and Heun's methods, and an adaptive one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor

from genframe import normal_like

from .flow import Way
from .integration import integrate
from .points import Point, point_at
from .predictor import Predictor
from .steps import Step, carried

__all__ = ["AdaptiveStep", "Churn", "RungeKuttaStep"]

MOST_CHURN: Final = math.sqrt(2) - 1
FIRST_SHARE: Final = 0.1  # of a leg, for the first of its adaptive steps


@dataclass(frozen=True)
class Churn:
    """Noise that is added back before each step. Karras et al. 2022, algorithm 2.

    ``amount``: how much over ``steps`` steps; 0 adds none. ``interval``: the times between which it is added. ``deviation``:
    the standard deviation of what is added.

    >>> Churn(amount=20.0, steps=50).gain
    0.4
    """

    amount: float = 0.0
    steps: int = 50
    interval: tuple[float, float] = (0.0, 1.0)
    deviation: float = 1.0

    @property
    def gain(self) -> float:
        """The share by which one step raises the noise-to-signal ratio."""
        return min(self.amount / self.steps, MOST_CHURN)


NO_CHURN: Final = Churn()


class RungeKuttaStep(Step):
    """Euler's or Heun's step along the probability flow, after churn. Karras et al. 2022, algorithm 2.

    For y = x / c and u = sigma / c the flow is dy/du = noise - k · data. Where something of the data is left at the last time,
    c is alpha and k is 0, so that u is the noise-to-signal ratio; else c is alpha + sigma and k is 1, so that u ends at 1.

    :param order: 1 for Euler's method, 2 for Heun's, which takes two predictions a step.
    :param churn: noise that is added back before each step.

    >>> from genframe_diffusion import GridPath, VarianceExploding, WalkSampler
    >>> heun = WalkSampler(RungeKuttaStep, GridPath(steps=18, grid="karras"))
    >>> heun.solve(lambda noisy, time: 0 * noisy + 3, torch.randn(2, 1), VarianceExploding()).mean()
    tensor(3.)
    """

    def __init__(self, order: int = 2, churn: Churn = NO_CHURN) -> None:
        self.order, self.churn, self.random = order, churn, churn.amount > 0

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
        low, high = self.churn.interval
        if not self.random or not low <= here.time <= high or not here.alpha:
            return x, here
        ratio = here.ratio * (1 + self.churn.gain)
        if ratio >= predict.first.ratio:
            return x, here
        back = point_at(predict.process, ratio)
        added = self.churn.deviation * back.alpha * math.sqrt(back.ratio**2 - here.ratio**2)
        return (back.alpha / here.alpha * x).add_(normal_like(x, generator), alpha=added), back


def _coordinates(point: Point, straight: bool) -> tuple[float, float]:
    """Return c and u."""
    scale = point.alpha + point.sigma if straight else point.alpha
    return scale, point.sigma / scale


def _slope(x: Tensor, clean: Tensor, point: Point, straight: bool) -> Tensor:
    """Return dy/du: (n, ...) -> (n, ...)."""
    noise = torch.sub(x, clean, alpha=point.alpha).div_(point.sigma)
    return noise.sub_(clean) if straight else noise


class AdaptiveStep(Step):
    """As many steps along the probability flow as the tolerance asks for; the least noisy data then count as clean.

    :param tolerance: error of a step, relative to 1 + |y|.

    >>> from genframe_diffusion import EvenPath, LinearVP, WalkSampler
    >>> ode = WalkSampler(AdaptiveStep, EvenPath(states=2))
    >>> ode.solve(lambda noisy, time: 0 * noisy + 3, torch.randn(2, 1), LinearVP()).mean().round(decimals=1)
    tensor(3.)
    """

    def __init__(self, tolerance: float = 1e-4) -> None:
        self.tolerance = tolerance

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        if not there.sigma:
            return x / here.alpha
        way = Way(predict.denoise, predict.process, x.shape[1:])
        (scale, _), (next_scale, _) = _coordinates(here, way.straight), _coordinates(there, way.straight)
        y = (x / scale).flatten(1)
        y = integrate(way.slope, y, way.place(here), way.place(there), tolerance=self.tolerance, first=FIRST_SHARE)
        return next_scale * y.reshape(x.shape)
