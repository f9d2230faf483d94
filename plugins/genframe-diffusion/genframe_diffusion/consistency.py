"""Consistency functions: their boundary condition, how they are learnt, and sampling by them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, cast

import torch
from torch import Generator, Tensor

from genframe import Batch, Encoder, Loss, LossOutput, Model, Real, Sampler, Space, State

from .denoiser import Coefficients, PreconditionedDecoder, coefficients, spread
from .points import Point, points
from .processes import NoisingProcess
from .specs.few_steps import ConsistencyFunction, ConsistencySteps, ConsistencyTraining
from .steps import drawn_like
from .teacher import Teacher
from .times import evenly_drawn

__all__ = ["ConsistencyDecoder", "ConsistencyLoss", "ConsistencySampler"]

HUBER: Final = 0.00054  # of Song & Dhariwal 2024, table 1: by the root of the dimensions


class ConsistencyDecoder(PreconditionedDecoder):
    """Leads from noisy data to clean data; the least noisy are clean but for their scale, exactly."""

    def __init__(self, spec: ConsistencyFunction, data: Real, context: Space | None, encoder: Encoder | None) -> None:
        super().__init__(spec.network, data, context, encoder)

    def coefficients(self, time: Tensor) -> Coefficients:
        """Return how the network's prediction becomes clean data: (B,) -> (B,) each."""
        process = self.process
        alpha, sigma = process.alpha_sigma(torch.full_like(time, process.least_time))
        return coefficients("edm", *process.alpha_sigma(time), process.data_deviation, sigma / alpha)

    def denoiser_coefficients(self, time: Tensor) -> Coefficients:
        """Return those of a denoiser with the same network: (B,) -> (B,) each."""
        return coefficients("edm", *self.process.alpha_sigma(time), self.process.data_deviation)


class ConsistencyLoss(Loss):
    """The distance between where a consistency function leads from two neighbouring points of a path."""

    calls: Tensor

    def __init__(self, spec: ConsistencyTraining) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.teacher = Teacher() if spec.distil else None

    def begin(self, model: Model) -> None:
        """Take the decoder's weights as the teacher's."""
        if self.teacher is not None:
            self.teacher.take(model.decoder)

    def intervals(self) -> Tensor:
        """Return into how many intervals times are divided now: ()."""
        first, last = self.spec.intervals
        doubled = first * 2.0 ** torch.div(self.calls, self.spec.double_every, rounding_mode="floor")
        return doubled.clamp(max=last)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted distance; ``distance`` is its root mean square at even weights."""
        process, decoder = cast(NoisingProcess, model.encoder), cast(ConsistencyDecoder, model.decoder)
        clean, context = process.standardise(batch.x), model.context(batch.condition)
        intervals, least = self.intervals(), process.least_time
        width = (1 - least) / intervals
        later = 1 - (1 - least - width) * evenly_drawn(len(clean), clean.device)
        earlier = (later - width).clamp(min=least)
        here, there = process.alpha_sigma(later), process.alpha_sigma(earlier)
        noisy = spread(here[0], clean) * clean + spread(here[1], clean) * torch.randn_like(clean)
        if self.teacher is not None:
            with self.teacher.in_place_of(decoder):
                clean = decoder.denoise_by(decoder.denoiser_coefficients(later), noisy, later, context)
                nearer = _carried(noisy, clean, here, there)
                again = decoder.denoise_by(decoder.denoiser_coefficients(earlier), nearer, earlier, context)
                clean = (clean + again) / 2
        with torch.no_grad():
            target = decoder.denoise(_carried(noisy, clean, here, there), earlier, context)
        gap = (decoder.denoise(noisy, later, context) - target).float().square().flatten(1).sum(1)
        dims = clean[0].numel()
        small = HUBER * math.sqrt(dims)
        distance = (gap + small**2).sqrt() - small
        ratio_weight = 1 / decoder.coefficients(later).out
        if self.training:
            self.calls += 1
        figures = {"distance": (gap.mean() / dims).sqrt().detach(), "intervals": intervals}
        return LossOutput((ratio_weight * distance).mean(), figures)


def _carried(noisy: Tensor, clean: Tensor, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor]) -> Tensor:
    """Return data on the straight line in sigma / alpha from ``noisy`` to ``clean``, at another point: (B, ...) -> (B, ...)."""
    share = there[1] / here[1]
    return spread(share, noisy) * noisy + spread(there[0] - share * here[0], noisy) * clean


class ConsistencySampler(Sampler):
    """Clean data from noise in one step, then from their own with noise added back. Song et al. 2023, algorithm 1."""

    def __init__(self, spec: ConsistencySteps) -> None:
        self.spec = spec

    def trajectory(
        self, model: Model, n: int, context: Tensor | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data after each step, in their own units."""
        process, decoder = cast(NoisingProcess, model.encoder), cast(ConsistencyDecoder, model.decoder)
        *path, least = points(process, [*self.spec.times(process), process.least_time])
        noisy = model.latents(model.prior.sample(n, context, generator))
        for number, point in enumerate(path, 1):
            clean = decoder.denoise(noisy, noisy.new_full((n,), point.time), context)
            yield State(process.restore(clean), number, len(path))
            if number < len(path):
                noisy = _noised(process.standardise(process.restore(clean)), path[number], least, generator)


def _noised(clean: Tensor, point: Point, least: Point, generator: Generator | None) -> Tensor:
    """Return data of the least noise with the rest that they have at a point: (n, ...) -> (n, ...)."""
    added = math.sqrt(max(0.0, point.sigma**2 - (point.alpha * least.ratio) ** 2))
    return (point.alpha * clean).add_(drawn_like(clean, generator), alpha=added)
