"""Consistency functions: their boundary condition, how they are learned, and sampling by them. Song et al. 2023."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import torch
from torch import Generator, Tensor

from genframe import Batch, Context, Loss, LossOutput, Model, Sampler, State
from genframe.types import NoiseProcess

from .denoiser import Coefficients, PreconditionedDecoder, coefficients, spread
from .points import GridPath, end_scale, points
from .steps import noised
from .teacher import Teacher
from .times import evenly_drawn
from .traits import Consistent, Denoise, consistent, process_of

__all__ = ["ConsistencyDecoder", "ConsistencyLoss", "ConsistencySampler"]

HUBER: Final = 0.00054  # Song & Dhariwal 2024, sec. 3.3, on the root of the mean square over dimensions


class ConsistencyDecoder(PreconditionedDecoder):
    """Maps noisy data to the start of the flow through them, in one step.

    EDM's coefficients are shifted so that data at the least time stay as they are, but for their scale: Song et al. 2023, app.
    C. The arguments are those of :class:`PreconditionedDecoder`.

    >>> from genframe_diffusion import VarianceExploding
    >>> class Zero(torch.nn.Module):
    ...     def forward(self, x, time):
    ...         return torch.zeros_like(x)
    >>> decoder = ConsistencyDecoder(Zero(), VarianceExploding())
    >>> decoder.denoise(torch.ones(1, 2), torch.zeros(1))
    tensor([[1., 1.]])
    """

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> Coefficients:
        """Return how the network's prediction becomes clean data at a signal and noise: (B,), (B,) -> (B,) each."""
        process = self.process
        signal, noise = process.alpha_sigma(torch.full_like(alpha, process.least_time))
        return coefficients("edm", alpha, sigma, process.data_deviation, noise / signal)

    def denoise_as_teacher(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Return clean data predicted by the network as a denoiser's: (B, ...), (B,) -> (B, ...)."""
        own = coefficients("edm", *self.process.alpha_sigma(time), self.process.data_deviation)
        return self.denoise_by(own, noisy, time, context)


class ConsistencyLoss(Loss):
    """The distance between where a consistency function leads from neighbouring times of one path.

    Pseudo-Huber, to a target without gradient: Song & Dhariwal 2024. The path adds noise to an example, or follows the flow of
    a teacher by one step of second order (Song et al. 2023, algorithm 2).

    :param distil: learn from the weights at the start of training, which are those of a trained denoiser.
    :param intervals: the first and the last number of intervals between times.
    :param double_every: batches after which there are twice as many intervals.

    >>> loss = ConsistencyLoss(intervals=(10, 1280), double_every=1000)
    >>> loss.calls += 2500
    >>> loss.intervals()
    tensor(40.)
    """

    calls: Tensor

    def __init__(self, *, distil: bool = False, intervals: tuple[int, int] = (10, 1280), double_every: int = 1000) -> None:
        super().__init__()
        self.ends, self.double_every = intervals, double_every
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.teacher = Teacher() if distil else None

    def begin(self, model: Model) -> None:
        """Take the decoder's weights as the teacher's."""
        if self.teacher is not None:
            self.teacher.take(model.decoder)

    def intervals(self) -> Tensor:
        """Return into how many intervals times are divided now: ()."""
        first, last = self.ends
        doublings = torch.div(self.calls, self.double_every, rounding_mode="floor")
        return (first * 2.0**doublings).clamp(max=last)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted distance; ``distance`` is its root mean square at even weights."""
        process, decoder = process_of(model), consistent(model)
        clean, context = process.standardise(batch.x), model.context(batch.condition)
        intervals = self.intervals()
        here, there = _neighbours(process, len(clean), intervals)
        noisy = spread(here.alpha, clean) * clean + spread(here.sigma, clean) * torch.randn_like(clean)
        if self.teacher is not None:
            with self.teacher.in_place_of(model.decoder):
                clean = _taught(decoder, noisy, here, there, context)
        with torch.no_grad():
            target = decoder.denoise(_carried(noisy, clean, here, there), there.time, context)
        gap = (decoder.denoise(noisy, here.time, context) - target).float().square().flatten(1).mean(1)
        distance = (gap + HUBER**2).sqrt() - HUBER
        total = (distance / decoder.coefficients(here.alpha, here.sigma).out).mean()
        if self.training:
            self.calls += 1
        return LossOutput(total, {"distance": gap.mean().sqrt().detach(), "intervals": intervals})


class Place(NamedTuple):
    """A time of each example, with alpha and sigma: (B,) each."""

    time: Tensor
    alpha: Tensor
    sigma: Tensor


def _neighbours(process: NoiseProcess, n: int, intervals: Tensor) -> tuple[Place, Place]:
    """Return random places, spread evenly over times, and those that are one interval nearer to the data."""
    least = process.least_time
    width = (1 - least) / intervals
    later = 1 - (1 - least - width) * evenly_drawn(n, intervals.device)
    earlier = (later - width).clamp(min=least)
    return Place(later, *process.alpha_sigma(later)), Place(earlier, *process.alpha_sigma(earlier))


def _taught(decoder: Consistent, noisy: Tensor, here: Place, there: Place, context: Context | None) -> Tensor:
    """Return the mean of a denoiser's data at both ends of a step, so that the step is of second order: (B, ...)."""
    first = decoder.denoise_as_teacher(noisy, here.time, context)
    second = decoder.denoise_as_teacher(_carried(noisy, first, here, there), there.time, context)
    return torch.lerp(first, second, 0.5)


def _carried(noisy: Tensor, clean: Tensor, here: Place, there: Place) -> Tensor:
    """Return ``clean`` with the noise that ``noisy`` has then, at another place: (B, ...) -> (B, ...)."""
    share = there.sigma / here.sigma
    return spread(share, noisy) * noisy + spread(there.alpha - share * here.alpha, noisy) * clean


class ConsistencySampler(Sampler):
    """Clean data from noise in one step, then again from noise that is added back to them. Song et al. 2023, algorithm 1.

    :param steps: predictions, at even times.

    Over any function, here the exact one of N(0, 1), whose flow keeps y / sqrt(alpha² + sigma²):

    >>> from genframe_diffusion import VarianceExploding
    >>> process = VarianceExploding()
    >>> def denoise(noisy, time):
    ...     alpha, sigma = process.alpha_sigma(time)
    ...     return noisy / torch.hypot(alpha, sigma)[:, None]
    >>> generator = torch.Generator().manual_seed(0)
    >>> noise = torch.randn(4000, 2, generator=generator)
    >>> round(float(ConsistencySampler(steps=2).solve(denoise, noise, process, generator=generator).std()), 1)
    1.0
    """

    def __init__(self, steps: int = 2) -> None:
        self.path = GridPath(steps)

    def solve(
        self, denoise: Denoise, noise: Tensor, process: NoiseProcess, context: Any = None, generator: Generator | None = None
    ) -> Tensor:
        """Return clean data of standard normal ``noise``, in standard units: (n, ...) -> (n, ...).

        ``denoise`` takes noisy data (n, ...) and a time (n,), and where there is a context, it as a third argument.
        """
        *_, clean = self._walk(denoise, noise * end_scale(process), process, context, generator)
        return clean

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the data after each step, in their own units."""
        process, latent = process_of(model), model.latents(model.prior.sample(n, context, generator))
        walk = self._walk(consistent(model).denoise, latent, process, context, generator)
        for number, clean in enumerate(walk, 1):
            yield State(process.restore(clean), number, self.path.steps)

    def _walk(
        self, denoise: Denoise, noisy: Tensor, process: NoiseProcess, context: Any, generator: Generator | None
    ) -> Iterator[Tensor]:
        """Yield clean data after each step, in standard units: (n, ...) each."""
        given = () if context is None else (context,)
        *path, least = points(process, [*self.path.times(process), process.least_time])
        for here, there in zip(path, [*path[1:], None], strict=True):
            clean = denoise(noisy, noisy.new_full((len(noisy),), here.time), *given)
            yield clean
            if there is not None:
                noisy = noised(least.alpha * process.standardise(process.restore(clean)), least, there, generator)
