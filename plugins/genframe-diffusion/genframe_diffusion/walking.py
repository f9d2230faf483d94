"""Walking from noise to data: one method's steps from point to point."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Generator, Tensor

from genframe import Context, Model, Real, Sampler, State, Unsupported, normal_like
from genframe.types import Denoiser, NoiseProcess

from .points import GridPath, Path, Point, end_scale
from .predictor import PLAIN, Guidance, Predictor
from .steps import Step, noised
from .traits import Denoise, process_of

__all__ = ["WalkSampler", "standard_bounds"]

FIFTY_STEPS: Final = GridPath(steps=50)


class WalkSampler(Sampler):
    """A method's steps over a path of points from noise to data. One state is held at a time.

    :param step: makes the method's step, a new one for each walk, since some methods look back: ``MultistepStep``,
        ``partial(UniPCStep, order=3)``.
    :param path: gives the points of a process over which to walk.
    :param guidance: how far the context is followed.
    :param clip: keep predictions within the bounds of the data, where there are any.

    A sampler over any function, here the exact denoiser of N(0, 0.5²):

    >>> from genframe_diffusion import CosineVP, MultistepStep
    >>> process = CosineVP()
    >>> def denoise(noisy, time):
    ...     alpha, sigma = (each[:, None] for each in process.alpha_sigma(time))
    ...     return 0.25 * alpha / (0.25 * alpha**2 + sigma**2) * noisy
    >>> noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    >>> x = WalkSampler(MultistepStep, GridPath(steps=100)).solve(denoise, noise, process)
    >>> x.shape, round(float(x.std()), 1)
    (torch.Size([4000, 2]), 0.5)
    """

    def __init__(
        self, step: Callable[[], Step], path: Path = FIFTY_STEPS, *, guidance: Guidance = PLAIN, clip: bool = True
    ) -> None:
        self.step, self.path, self.guidance, self.clip = step, path, guidance, clip

    def solve(
        self,
        denoise: Denoise | Denoiser,
        noise: Tensor,
        process: NoiseProcess,
        context: Any = None,
        generator: Generator | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> Tensor:
        """Return the clean data to which a walk leads from ``noise``, in standard units: (n, ...) -> (n, ...).

        :param denoise: a function or module of noisy data (n, ...) and time (n,) that gives clean data, or a part with such a
            method ``denoise``. Where there is a context it is the third argument, and ``None`` in its place with guidance.
        :param noise: standard normal noise; the process says to what scale it is brought.
        :param process: the process that makes data noisy; ``process.restore`` brings the result to units of the data.
        :param context: what ``denoise`` reads, of each row.
        :param generator: draws the noise on the way, where the method draws any.
        :param bounds: least and greatest value of clean data, to which predictions are clamped unless ``clip`` is false.
        """
        predict = Predictor(denoise, process, context, self.guidance, bounds if self.clip else None)
        return _last(self.walk(predict, noise * end_scale(process), self.path(process), generator))

    def walk(
        self, predict: Predictor, y: Tensor, path: Sequence[Point], generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the noisy data after each step along ``path``, in standard units: (n, ...) each."""
        step = self.step()
        for here, there in pairwise(path):
            y = step(y, here, there, predict, generator)
            yield y

    def predictor(self, model: Model, context: Context | None = None) -> Predictor:
        """Return the predictions of a model, for a batch of contexts."""
        bounds = standard_bounds(model) if self.clip else None
        return Predictor(model.decoder, process_of(model), context, self.guidance, bounds)

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data after each step, in their own units."""
        latent = model.latents(model.prior.sample(n, context, generator))
        return self.trajectory_from(model, latent, context, generator)

    def trajectory_from(
        self, model: Model, latent: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data after each step from given noise, such as :meth:`invert` finds, in their own units."""
        process = process_of(model)
        path = self.path(process)
        for number, y in enumerate(self.walk(self.predictor(model, context), latent, path, generator), 1):
            yield State(process.restore(y), number, len(path) - 1)

    def invert(self, model: Model, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latents of data, by the same method's steps taken backwards: (n, data) -> (n, latent).

        They lead back to the data as far as the method is exact.

        :raises Unsupported: if the walk draws noise, so that it cannot be taken backwards.
        """
        if self.step().random:
            raise Unsupported("this walk draws noise on its way, so it has no inverse; use diffusion/ode or another")
        process = process_of(model)
        _, *path = reversed(self.path(process))
        return _last(self.walk(self.predictor(model, context), path[0].alpha * process.standardise(x), path))

    def inpaint(
        self,
        model: Model,
        x: Tensor,
        known: Tensor,
        context: Context | None = None,
        generator: Generator | None = None,
        *,
        rounds: int = 10,
    ) -> Tensor:
        """Return data drawn around what is known of them: (n, data), (n, data) of bool -> (n, data).

        Before each step the known values are put back with the noise of their time, and each step is taken ``rounds`` times,
        from noise that is added back to its result: Lugmayr et al. 2022, algorithm 1. The result approaches the conditional
        distribution as rounds grow; after a single round it hardly depends on what is known. Methods that look back start
        again each time.
        """
        process, predict, step = process_of(model), self.predictor(model, context), self.step()
        path, clean = self.path(process), process.standardise(x)
        y = model.latents(model.prior.sample(len(x), context, generator))
        for here, there in pairwise(path):
            for left in reversed(range(rounds)):
                step = self.step() if rounds > 1 else step
                noisy = here.alpha * clean + here.sigma * normal_like(clean, generator)
                reached = step(torch.where(known, noisy, y), here, there, predict, generator)
                y = noised(reached, there, here, generator) if left else reached
        return torch.where(known, x, process.restore(y))


def standard_bounds(model: Model) -> tuple[float, float] | None:
    """Return the bounds of a model's data in standard units, where they have any."""
    data = model.composition.data
    if not isinstance(data, Real) or data.low is None or data.high is None:
        return None
    low, high = process_of(model).standardise(torch.tensor([data.low, data.high], device=model.device)).tolist()
    return low, high


def _last(states: Iterator[Tensor]) -> Tensor:
    """Return what a walk yields last, holding one state at a time."""
    return deque(states, maxlen=1).pop()
