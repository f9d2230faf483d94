"""Steps of sampling methods, from one point of a process to another, in terms of predicted clean data."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Generator, Tensor

from genframe import normal_like

from .points import Point
from .predictor import Predictor

__all__ = ["MultistepStep", "PredictorCorrectorStep", "Step", "UniPCStep", "carried", "noised"]


class Step(ABC):
    """One step of a method; those that look back keep what they need of a single walk."""

    random: bool = False
    """Whether noise is drawn; else the steps follow the probability flow."""

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
    """The step of DDIM, DDPM and DPM-Solver++: the noise is kept but for a share ``eta``, which is drawn again.

    Of order 1: Song et al. 2021a, eq. 12 and 16. Of order 2 clean data are extrapolated over log-SNR from two predictions: Lu
    et al. 2022b, algorithm 2, and with ``eta`` 1 its SDE variant; the first step, and the last to clean data, have order 1.

    :param eta: share of the noise of q(y_s | y_t, y) that is drawn again.
    :param order: 1 or 2, the number of predictions from which clean data are extrapolated.
    :param large: draw with the posterior's variance for data of unit variance (Ho et al. 2020, sec. 3.2).

    >>> from genframe_diffusion import LinearVP, WalkSampler
    >>> dpm = WalkSampler(lambda: MultistepStep(order=2))
    >>> dpm.solve(lambda noisy, time: 0 * noisy + 3, torch.randn(2, 1), LinearVP())
    tensor([[3.],
            [3.]])
    """

    def __init__(self, *, eta: float = 0.0, order: int = 1, large: bool = False) -> None:
        self.eta, self.order, self.large, self.random = eta, order, large, eta > 0
        self.before: Tensor | None = None
        self.last_width = math.inf

    def __call__(self, x: Tensor, here: Point, there: Point, predict: Predictor, generator: Generator | None) -> Tensor:
        """Return the step."""
        clean = predict(x, here)
        if self.order == 2:
            clean = self._extrapolated(clean, there.log_ratio - here.log_ratio)
        if not self.eta or not there.sigma:
            return carried(x, clean, here, there, there.sigma)
        left = 1 - (here.alpha * there.sigma / (there.alpha * here.sigma)) ** 2  # of the variance of the noise, drawn again
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

    :param order: the order of the predictor, 1 to 3.

    >>> from functools import partial
    >>> from genframe_diffusion import LinearVP, WalkSampler
    >>> unipc = WalkSampler(partial(UniPCStep, order=3))
    >>> unipc.solve(lambda noisy, time: 0 * noisy + 3, torch.randn(2, 1), LinearVP()).mean()
    tensor(3.)
    """

    def __init__(self, order: int = 2) -> None:
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


class PredictorCorrectorStep(Step):
    """An ancestral step, then Langevin steps at the time it leads to. Song et al. 2021b, algorithms 2 to 5.

    The noise of a Langevin step, of size 2 (snr · sigma)², stands to its score as 1 to snr where the score has its mean norm
    for Gaussian noise, sqrt(dims) / sigma (Song & Ermon 2019, sec. 4.2): the walk of an example depends on no other's.

    :param snr: signal to noise of a Langevin step, between 0 and 0.5.
    :param corrections: Langevin steps after each ancestral one.

    >>> from genframe_diffusion import LinearVP, WalkSampler
    >>> WalkSampler(PredictorCorrectorStep).solve(lambda noisy, time: 0 * noisy + 3, torch.randn(2, 1), LinearVP()).mean()
    tensor(3.)
    """

    random = True

    def __init__(self, snr: float = 0.16, corrections: int = 1) -> None:
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
