"""Consistency functions: their boundary condition, how they are learnt, and sampling by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, cast

import torch
from torch import Generator, Tensor

from genframe import Batch, Context, ContextSpace, Encoder, Loss, LossOutput, Model, Real, Sampler, State

from .denoiser import Coefficients, PreconditionedDecoder, coefficients, spread
from .points import points
from .processes import NoisingProcess
from .specs.few_steps import ConsistencyFunction, ConsistencySteps, ConsistencyTraining
from .steps import noised
from .teacher import Teacher
from .times import evenly_drawn

__all__ = ["ConsistencyDecoder", "ConsistencyLoss", "ConsistencySampler"]

HUBER: Final = 0.00054  # Song & Dhariwal 2024, sec. 3.3, on the root of the mean square over dimensions


class ConsistencyDecoder(PreconditionedDecoder):
    """Leads from noisy data to clean data; the least noisy are clean but for their scale, exactly."""

    def __init__(self, spec: ConsistencyFunction, data: Real, context: ContextSpace | None, encoder: Encoder | None) -> None:
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
        doublings = torch.div(self.calls, self.spec.double_every, rounding_mode="floor")
        return (first * 2.0**doublings).clamp(max=last)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted distance; ``distance`` is its root mean square at even weights."""
        process, decoder = cast(NoisingProcess, model.encoder), cast(ConsistencyDecoder, model.decoder)
        clean, context = process.standardise(batch.x), model.context(batch.condition)
        intervals = self.intervals()
        here, there = _neighbours(process, len(clean), intervals)
        noisy = spread(here.alpha, clean) * clean + spread(here.sigma, clean) * torch.randn_like(clean)
        if self.teacher is not None:
            with self.teacher.in_place_of(decoder):
                clean = _taught(decoder, noisy, here, there, context)
        with torch.no_grad():
            target = decoder.denoise(_carried(noisy, clean, here, there), there.time, context)
        gap = (decoder.denoise(noisy, here.time, context) - target).float().square().flatten(1).mean(1)
        distance = (gap + HUBER**2).sqrt() - HUBER
        total = (distance / decoder.coefficients(here.time).out).mean()
        if self.training:
            self.calls += 1
        return LossOutput(total, {"distance": gap.mean().sqrt().detach(), "intervals": intervals})


class Place(NamedTuple):
    """A time of each datum, with alpha and sigma: (B,) each."""

    time: Tensor
    alpha: Tensor
    sigma: Tensor


def _neighbours(process: NoisingProcess, n: int, intervals: Tensor) -> tuple[Place, Place]:
    """Return random places, spread evenly over times, and those that are one interval nearer to the data."""
    least = process.least_time
    width = (1 - least) / intervals
    later = 1 - (1 - least - width) * evenly_drawn(n, intervals.device)
    earlier = (later - width).clamp(min=least)
    return Place(later, *process.alpha_sigma(later)), Place(earlier, *process.alpha_sigma(earlier))


def _taught(decoder: ConsistencyDecoder, noisy: Tensor, here: Place, there: Place, context: Context | None) -> Tensor:
    """Return the mean of a denoiser's data at both ends of a step, so that the step is of second order: (B, ...)."""
    first = decoder.denoise_by(decoder.denoiser_coefficients(here.time), noisy, here.time, context)
    nearer = _carried(noisy, first, here, there)
    second = decoder.denoise_by(decoder.denoiser_coefficients(there.time), nearer, there.time, context)
    return torch.lerp(first, second, 0.5)


def _carried(noisy: Tensor, clean: Tensor, here: Place, there: Place) -> Tensor:
    """Return ``clean`` with the noise that ``noisy`` has then, at another place: (B, ...) -> (B, ...)."""
    share = there.sigma / here.sigma
    return spread(share, noisy) * noisy + spread(there.alpha - share * here.alpha, noisy) * clean


class ConsistencySampler(Sampler):
    """Clean data from noise in one step, then from their own with noise added back. Song et al. 2023, algorithm 1."""

    def __init__(self, spec: ConsistencySteps) -> None:
        self.spec = spec

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data after each step, in their own units."""
        process, decoder = cast(NoisingProcess, model.encoder), cast(ConsistencyDecoder, model.decoder)
        *path, least = points(process, [*self.spec.times(process), process.least_time])
        noisy = model.latents(model.prior.sample(n, context, generator))
        for number, point in enumerate(path, 1):
            clean = decoder.denoise(noisy, noisy.new_full((n,), point.time), context)
            yield State(process.restore(clean), number, len(path))
            if number < len(path):
                noisy = noised(least.alpha * process.standardise(process.restore(clean)), least, path[number], generator)
