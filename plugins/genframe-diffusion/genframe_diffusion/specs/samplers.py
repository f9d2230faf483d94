"""Specs of the samplers: walks from noise to data."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from genframe import Mismatch, ModelSpec, Needs, SamplerSpec, Spaces, at, traits
from genframe.traits import Conditional, Denoiser, Invertible, NoiseProcess, SamplingKind, TraitSet

from .denoiser import DenoiserDecoder
from .losses import Denoising
from .processes import VP, Process

if TYPE_CHECKING:
    from genframe import Encoder, Sampler

    from ..points import Point
    from ..steps import Step

__all__ = [
    "DDIM",
    "DDPM",
    "ODE",
    "DPMpp2M",
    "DPMppSDE",
    "Euler",
    "EulerAncestral",
    "Grid",
    "GridWalk",
    "Heun",
    "PredictorCorrector",
    "UniPC",
    "Walk",
]

Grid: TypeAlias = Literal["uniform", "karras", "log_snr"]
ETA: Final = "share of the ancestral noise"


class Walk(SamplerSpec):
    """A walk from noise to data, with guidance. Root of the samplers.

    A guided prediction is D(nothing) + guidance · (D(context) - D(nothing)): Ho & Salimans 2021, eq. 6.
    """

    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Denoiser}
    sampling: ClassVar[SamplingKind] = "Markov chain"

    guidance: NonNegativeFloat = Field(default=1.0, description="how far the condition is followed; 1 as it was learnt")
    guidance_interval: tuple[float, float] = Field(
        default=(0.0, 1.0), description="times between which samples are guided (Kynkäänniemi et al. 2024)"
    )
    guidance_rescale: float = Field(
        default=0.0, ge=0, le=1, description="share by which guided predictions keep their deviation (Lin et al. 2024, eq. 16)"
    )
    clip: bool = Field(default=True, description="keep predicted data within their bounds, where they have any")

    @model_validator(mode="after")
    def _interval_of_times(self) -> Walk:
        _require_interval("guidance_interval", self.guidance_interval)
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
        return traits() if self.random else traits(Invertible)

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept a denoiser that says something of data at every time, and guidance where a condition can be left out."""
        decoder, process = model.decoder, model.encoder
        noise_alone = isinstance(process, Process) and process.reaches_noise
        if process is not None and noise_alone and isinstance(decoder, DenoiserDecoder) and decoder.prediction == "noise":
            raise Mismatch(
                f"{process.type} ends in noise alone, which tells nothing of data by a prediction of noise",
                "say prediction: v or velocity in the decoder",
            )
        if self.guidance == 1:
            return
        with at("guidance"):
            if spaces.context is None or Conditional not in decoder.provides:
                message = "there is no condition to follow" if spaces.context is None else "the denoiser reads no condition"
                raise Mismatch(message, "leave 'guidance' out, or give the model a condition that its network reads")
            if isinstance(model.loss, Denoising) and not model.loss.condition_dropout:
                raise Mismatch(
                    "no condition is ever left out in training, so there is nothing to guide away from",
                    "set condition_dropout in the loss, such as 0.1, or leave 'guidance' out",
                )

    def path(self, process: NoiseProcess) -> list[Point]:
        """Return the points from noise to clean data."""
        raise NotImplementedError(f"{type(self).__name__}.path")

    def step(self) -> Step:
        """Return the method's step, new for each walk."""
        raise NotImplementedError(f"{type(self).__name__}.step")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..walking import WalkSampler

        return WalkSampler(self)


def _require_interval(name: str, interval: tuple[float, float]) -> None:
    low, high = interval
    if not 0 <= low < high <= 1:
        raise ValueError(f"{name} is two times from 0 to 1, found {low:g} and {high:g}")


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
        process = model.encoder
        if isinstance(process, VP) and process.steps is not None and self.steps > process.steps:
            with at("steps"):
                raise Mismatch(f"the chain of {process.type} has {process.steps} steps, found {self.steps}", "take fewer")
        if self.grid != "uniform" and isinstance(process, Process) and process.reaches_noise:
            with at("grid"):
                raise Mismatch(
                    f"{process.type} ends at a log-SNR of minus infinity, where {self.grid} has no place", "say uniform"
                )

    def path(self, process: NoiseProcess) -> list[Point]:
        """Return the points of the grid, and clean data."""
        from ..points import CLEAN, grid_times, points

        return [*points(process, grid_times(process, self.grid, self.steps)), CLEAN]


class DDPM(GridWalk):
    """Ancestral steps: each draws from q(y_s | y_t, predicted data). Ho et al. 2020, algorithm 2.

    With the small variance it is diffusion/ddim of ``eta`` 1.
    """

    type: Literal["diffusion/ddpm"] = "diffusion/ddpm"

    steps: PositiveInt = Field(default=250, description="steps from noise to data")
    variance: Literal["small", "large"] = Field(
        default="small", description="the posterior's variance for fixed data, or for data of unit variance (ibid., sec. 3.2)"
    )

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def step(self) -> Step:
        """Return the step."""
        from ..steps import MultistepStep

        return MultistepStep(eta=1.0, large=self.variance == "large")


class DDIM(GridWalk):
    """Steps that keep the predicted noise but for a share eta, which is drawn anew. Song et al. 2021a, eq. 12.

    With eta 0 it is Euler's method in sigma / alpha, of order 1; with eta 1 it is ancestral.
    """

    type: Literal["diffusion/ddim"] = "diffusion/ddim"

    eta: float = Field(default=0.0, ge=0, le=1, description=ETA)

    @property
    def random(self) -> bool:
        """Whether any noise is drawn anew."""
        return self.eta > 0

    def step(self) -> Step:
        """Return the step."""
        from ..steps import MultistepStep

        return MultistepStep(eta=self.eta)


class EulerAncestral(GridWalk):
    """Euler's step down to less noise than the next time has, and noise for the rest. Song et al. 2021a, eq. 16.

    Another name of diffusion/ddim with ``eta``, which is 1 unless said otherwise.
    """

    type: Literal["diffusion/euler_ancestral"] = "diffusion/euler_ancestral"

    eta: float = Field(default=1.0, ge=0, le=1, description=ETA)

    @property
    def random(self) -> bool:
        """Whether any noise is drawn anew."""
        return self.eta > 0

    def step(self) -> Step:
        """Return the step."""
        from ..steps import MultistepStep

        return MultistepStep(eta=self.eta)


class Churned(GridWalk):
    """Root of Euler's and Heun's methods, with EDM's churn. Karras et al. 2022, algorithm 2."""

    churn: NonNegativeFloat = Field(
        default=0.0, description="how much noise is added back, over all steps; 0 makes the walk deterministic"
    )
    churn_interval: tuple[float, float] = Field(default=(0.0, 1.0), description="times between which noise is added back")
    churn_noise: NonNegativeFloat = Field(default=1.0, description="deviation of what is added back")

    @model_validator(mode="after")
    def _churn_between_times(self) -> Churned:
        _require_interval("churn_interval", self.churn_interval)
        if not self.churn and (self.churn_interval != (0.0, 1.0) or self.churn_noise != 1):
            raise ValueError("there is no churn whose interval or noise could be set; give a churn greater than 0")
        return self

    @property
    def random(self) -> bool:
        """Whether there is any churn."""
        return self.churn > 0


class Euler(Churned):
    """Euler's method along the probability flow, of order 1. Karras et al. 2022, algorithm 2 without lines 6 to 8.

    Without churn it is diffusion/ddim of ``eta`` 0.
    """

    type: Literal["diffusion/euler"] = "diffusion/euler"

    def step(self) -> Step:
        """Return the step."""
        from ..steps import RungeKuttaStep

        return RungeKuttaStep(self, order=1)


class Heun(Churned):
    """Heun's method along the probability flow, of order 2: two predictions a step. Karras et al. 2022, algorithm 2."""

    type: Literal["diffusion/heun"] = "diffusion/heun"

    def step(self) -> Step:
        """Return the step."""
        from ..steps import RungeKuttaStep

        return RungeKuttaStep(self, order=2)


class DPMpp2M(GridWalk):
    """Two-step exponential integration in log-SNR, of order 2: one prediction a step. Lu et al. 2022b, algorithm 2."""

    type: Literal["diffusion/dpmpp_2m"] = "diffusion/dpmpp_2m"

    def step(self) -> Step:
        """Return the step."""
        from ..steps import MultistepStep

        return MultistepStep(order=2)


class DPMppSDE(GridWalk):
    """Exponential integration of the reverse stochastic equation in log-SNR, one prediction a step. Lu et al. 2022b, sec. 6.

    Of order 2 it is their SDE-DPM-Solver++(2M), of order 1 diffusion/ddpm.
    """

    type: Literal["diffusion/dpmpp_sde"] = "diffusion/dpmpp_sde"

    order: Literal[1, 2] = Field(default=2, description="predictions from which data are extrapolated over a step")

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def step(self) -> Step:
        """Return the step."""
        from ..steps import MultistepStep

        return MultistepStep(eta=1.0, order=self.order)


class UniPC(GridWalk):
    """Multistep prediction and correction in log-SNR, one prediction a step. Zhao et al. 2023, with B_2 and predicted data.

    The corrector adds one to the order of the predictor, which at order 2 is diffusion/dpmpp_2m.
    """

    type: Literal["diffusion/unipc"] = "diffusion/unipc"

    order: Literal[1, 2, 3] = Field(default=2, description="order of the predictor")

    def step(self) -> Step:
        """Return the step."""
        from ..steps import UniPCStep

        return UniPCStep(self.order)


class PredictorCorrector(GridWalk):
    """Ancestral steps, each followed by Langevin steps at the time it leads to. Song et al. 2021b, algorithms 2 to 5."""

    type: Literal["diffusion/pc"] = "diffusion/pc"

    snr: float = Field(default=0.16, gt=0, lt=0.5, description="signal to noise of a Langevin step")
    corrections: PositiveInt = Field(default=1, description="Langevin steps, each with a prediction, after an ancestral one")

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def step(self) -> Step:
        """Return the step."""
        from ..steps import PredictorCorrectorStep

        return PredictorCorrectorStep(self.snr, self.corrections)


class ODE(Walk):
    """The probability flow, integrated for each datum with steps of its own. Dormand & Prince 1980; Song et al. 2021b, eq. 13.

    The least noisy data count as clean, so that inversion leads back to data as exactly as the tolerance says.
    """

    type: Literal["diffusion/ode"] = "diffusion/ode"

    tolerance: PositiveFloat = Field(default=1e-4, description="error of a step, relative to 1 + |y|")
    states: PositiveInt = Field(
        default=8, ge=2, description="states that are shown on the way, at even times; what is known is put back there"
    )

    def path(self, process: NoiseProcess) -> list[Point]:
        """Return points at even times from the last to the least, and clean data."""
        from ..points import CLEAN, points

        legs = self.states - 1
        times = [1 - (1 - process.least_time) * leg / legs for leg in range(self.states)]
        return [*points(process, times), CLEAN]

    def step(self) -> Step:
        """Return the step."""
        from ..steps import AdaptiveStep

        return AdaptiveStep(self.tolerance)
