"""Walking from noise to data: guided predictions, and one method's steps from point to point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Generator, Tensor

from genframe import Context, Model, Real, Sampler, State, Unsupported, normal_like
from genframe.traits import Denoiser

from .denoiser import spread
from .points import Point, points
from .processes import NoisingProcess
from .specs.samplers import Walk
from .steps import noised

__all__ = ["Predictor", "WalkSampler"]


class Predictor:
    """Predicts clean data with guidance and within the data's bounds, as a sampler's spec says, for a batch of contexts."""

    def __init__(self, spec: Walk, model: Model, context: Context | None) -> None:
        self.spec, self.context = spec, context
        self.denoiser, self.process = cast(Denoiser, model.decoder), cast(NoisingProcess, model.encoder)
        (self.first,) = points(self.process, [1.0])
        self.straight = not self.first.alpha
        self.bounds = self._bounds(model) if spec.clip else None

    @staticmethod
    def _bounds(model: Model) -> tuple[float, float] | None:
        """Return the bounds of standardised data."""
        data = model.composition.data
        if not isinstance(data, Real) or data.low is None or data.high is None:
            return None
        ends = cast(NoisingProcess, model.encoder).standardise(torch.tensor([data.low, data.high], device=model.device))
        low, high = ends.tolist()
        return low, high

    def point_at(self, ratio: float) -> Point:
        """Return the process's point of a noise-to-signal ratio."""
        time = self.process.time_at(torch.tensor([-2 * math.log(ratio)], dtype=torch.float64, device="cpu"))
        (point,) = points(self.process, time.tolist())
        return point

    def __call__(self, noisy: Tensor, point: Point) -> Tensor:
        """Return predicted clean data: (n, ...) -> (n, ...)."""
        low, high = self.spec.guidance_interval
        guidance = self.spec.guidance if low <= point.time <= high else 1.0
        return self._predicted(noisy, noisy.new_full((len(noisy),), point.time), guidance)

    def denoise(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Return predicted clean data, each at a time of its own: (n, ...), (n,) -> (n, ...)."""
        if self.spec.guidance == 1:
            return self._predicted(noisy, time, 1.0)
        low, high = self.spec.guidance_interval
        guidance = torch.where((low <= time) & (time <= high), self.spec.guidance, 1.0)
        return self._predicted(noisy, time, spread(guidance, noisy))

    def _predicted(self, noisy: Tensor, time: Tensor, guidance: float | Tensor) -> Tensor:
        clean = self.denoiser.denoise(noisy, time, self.context)
        if isinstance(guidance, Tensor) or guidance != 1:
            clean = self._guided(clean, self.denoiser.denoise(noisy, time, None), guidance)
        return clean if self.bounds is None else clean.clamp(*self.bounds)

    def _guided(self, clean: Tensor, without: Tensor, guidance: float | Tensor) -> Tensor:
        """Return the prediction moved away from that without a condition."""
        guided = torch.lerp(without, clean, guidance)
        if not self.spec.guidance_rescale:
            return guided
        own, moved = (each.flatten(1).std(1) for each in (clean, guided))
        return torch.lerp(guided, guided * spread(own / moved, clean), self.spec.guidance_rescale)


class WalkSampler(Sampler):
    """A method's steps over points from noise to data. One state is held at a time."""

    def __init__(self, spec: Walk) -> None:
        self.spec = spec

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
        process = cast(NoisingProcess, model.encoder)
        path = self.spec.path(process)
        for number, x in enumerate(self.walk(model, latent, path, context, generator), 1):
            yield State(process.restore(x), number, len(path) - 1)

    def walk(
        self,
        model: Model,
        x: Tensor,
        path: Sequence[Point],
        context: Context | None = None,
        generator: Generator | None = None,
    ) -> Iterator[Tensor]:
        """Yield the noisy data after each step along ``path``, in standard units: (n, ...) each."""
        predict, step = Predictor(self.spec, model, context), self.spec.step()
        for here, there in pairwise(path):
            x = step(x, here, there, predict, generator)
            yield x

    def invert(self, model: Model, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latents of data, by the same method's steps taken backwards: (n, data) -> (n, latent).

        They lead back to the data as far as the method is exact.

        :raises Unsupported: if the walk draws noise, so that it cannot be gone back.
        """
        if self.spec.random:
            raise Unsupported(f"{self.spec.type} draws noise on its way, so it has no inverse; use diffusion/ode or another")
        process = cast(NoisingProcess, model.encoder)
        _, *path = reversed(self.spec.path(process))
        y = path[0].alpha * process.standardise(x)
        for y in self.walk(model, y, path, context):  # noqa: B020, B007 - only the last is wanted
            pass
        return y

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
        from noise that is added back to its result: Lugmayr et al. 2022, algorithm 1. It nears the conditional distribution as
        rounds grow; after a single one, what is drawn hardly knows what is known. Methods that look back start anew each time.
        """
        process = cast(NoisingProcess, model.encoder)
        path, clean = self.spec.path(process), process.standardise(x)
        predict, step = Predictor(self.spec, model, context), self.spec.step()
        y = model.latents(model.prior.sample(len(x), context, generator))
        for here, there in pairwise(path):
            for left in reversed(range(rounds)):
                step = self.spec.step() if rounds > 1 else step
                noisy = here.alpha * clean + here.sigma * normal_like(clean, generator)
                reached = step(torch.where(known, noisy, y), here, there, predict, generator)
                y = noised(reached, there, here, generator) if left else reached
        return torch.where(known, x, process.restore(y))
