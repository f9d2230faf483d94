"""What the specs of all walks from noise to data share. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from genframe import Mismatch, ModelSpec, Needs, Real, SamplerSpec, Spaces, at, traits
from genframe.types import Conditional, Denoiser, Invertible, NoiseProcess, TraitSet

from ..choices import Grid
from ..traits import Denoise, EndsInNoise, KeepsConditions, PredictsNoise, Solver
from .processes import Process
from .requirements import require_chain_of, require_interval

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from genframe import Encoder

    from ..points import Path
    from ..steps import Step
    from ..walking import WalkSampler

__all__ = ["GridWalk", "Walk"]


class Walk(SamplerSpec):
    """A walk from noise to data, with guidance. Root of the samplers.

    A guided prediction is D(nothing) + guidance · (D(context) - D(nothing)): Ho & Salimans 2021, eq. 6.
    """

    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Denoiser}
    sampling = "Markov chain"

    guidance: NonNegativeFloat = Field(default=1.0, description="how far the condition is followed; 1 as it was learned")
    guidance_interval: tuple[float, float] = Field(
        default=(0.0, 1.0), description="times between which samples are guided (Kynkäänniemi et al. 2024)"
    )
    guidance_rescale: float = Field(
        default=0.0, ge=0, le=1, description="share by which guided predictions keep their deviation (Lin et al. 2024, eq. 16)"
    )
    clip: bool = Field(default=True, description="keep predicted data within their bounds, where they have any")

    @model_validator(mode="after")
    def _interval_of_times(self) -> Walk:
        require_interval("guidance_interval", self.guidance_interval)
        if self.guidance == 1 and (self.guidance_interval != (0.0, 1.0) or self.guidance_rescale):
            raise ValueError("there is no guidance whose interval or rescaling could be set; give a guidance other than 1")
        return self

    @property
    def random(self) -> bool:
        """Whether noise is drawn on the way; else the walk follows the probability flow, and can be inverted."""
        return False

    @property
    def provides(self) -> TraitSet:
        """Provide Invertible where no noise is drawn on the way."""
        return traits(Solver) if self.random else traits(Solver, Invertible)

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept a denoiser that says something of data at every time, and guidance where a condition can be left out."""
        decoder, process = model.decoder, model.encoder
        if process is not None and EndsInNoise in process.provides and PredictsNoise in decoder.provides:
            raise Mismatch(
                f"{process.type} ends in noise alone, where a prediction of the noise says nothing about the data",
                "say prediction: v or velocity in the decoder",
            )
        if self.guidance == 1:
            return
        with at("guidance"):
            if spaces.context is None or Conditional not in decoder.provides:
                message = "there is no condition to follow" if spaces.context is None else "the denoiser reads no condition"
                raise Mismatch(message, "leave 'guidance' out, or give the model a condition that its network reads")
            if KeepsConditions in model.loss.provides:
                raise Mismatch(
                    "no condition is ever left out in training, so there is nothing to guide away from",
                    "set condition_dropout in the loss, such as 0.1, or leave 'guidance' out",
                )

    def path(self) -> Path:
        """Return what gives the points from noise to clean data."""
        raise NotImplementedError(f"{type(self).__name__}.path")

    def step(self) -> Callable[[], Step]:
        """Return what makes the method's step, a new one for each walk."""
        raise NotImplementedError(f"{type(self).__name__}.step")

    def solve(
        self,
        denoise: Denoise | Denoiser,
        noise: Tensor,
        process: NoiseProcess | Process,
        context: Any = None,
        generator: Generator | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> Tensor:
        """Return the data to which this walk leads from noise, by any function that denoises: (n, ...) -> (n, ...).

        The arguments are those of :meth:`genframe_diffusion.WalkSampler.solve`; the process may be given by its spec.

        >>> import torch
        >>> from genframe_diffusion import DDIM, EDM
        >>> DDIM(steps=50).solve(lambda noisy, time: 0 * noisy + 3, torch.randn(2, 1), EDM())
        tensor([[3.],
                [3.]])
        """
        if isinstance(process, Process):
            process = process.process(Real(tuple(noise.shape[1:])))
        return self.sampler().solve(denoise, noise, process, context, generator, bounds)

    def sampler(self) -> WalkSampler:
        """Return the sampler, which depends on no spaces."""
        from ..predictor import Guidance
        from ..walking import WalkSampler

        guidance = Guidance(self.guidance, self.guidance_interval, self.guidance_rescale)
        return WalkSampler(self.step(), self.path(), guidance=guidance, clip=self.clip)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> WalkSampler:
        """Build the sampler."""
        return self.sampler()


class GridWalk(Walk):
    """A walk over a grid of times. Root of the samplers that take a given number of steps."""

    steps: PositiveInt = Field(default=50, description="steps from noise to data")
    grid: Grid = Field(
        default="uniform",
        description="the times of the steps: uniform; powers of sigma / alpha (Karras et al. 2022, eq. 5, rho 7); or uniform "
        "in log-SNR",
    )

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept as many steps as the process has, and a grid that it can fill."""
        super().accepts(model, spaces)
        require_chain_of(self.steps, model)
        process = model.encoder
        if self.grid != "uniform" and process is not None and EndsInNoise in process.provides:
            with at("grid"):
                raise Mismatch(
                    f"{process.type} ends at a log-SNR of minus infinity, which is not on the grid {self.grid}", "say uniform"
                )

    def path(self) -> Path:
        """Return the points of the grid, and clean data."""
        from ..points import GridPath

        return GridPath(self.steps, self.grid)
