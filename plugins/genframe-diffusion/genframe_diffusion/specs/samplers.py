"""Specs of the samplers: the methods by which a walk goes from noise to data. No torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from genframe import ModelSpec, Needs, SamplerSpec, Spaces
from genframe.types import NoiseProcess

from ..choices import Variance
from ..traits import Consistent
from .requirements import require_chain_of, require_interval
from .walks import GridWalk, Walk

if TYPE_CHECKING:
    from genframe import Encoder, Sampler

    from ..flow_steps import Churn
    from ..points import Path
    from ..steps import Step

__all__ = [
    "DDIM",
    "DDPM",
    "ODE",
    "ConsistencySteps",
    "DPMpp2M",
    "DPMppSDE",
    "Euler",
    "EulerAncestral",
    "Heun",
    "PredictorCorrector",
    "UniPC",
]

ETA: Final = "share of the ancestral noise"


class DDPM(GridWalk):
    """Ancestral steps: each draws from q(y_s | y_t, predicted data). Ho et al. 2020, algorithm 2.

    With the small variance it is diffusion/ddim of ``eta`` 1.
    """

    type: Literal["diffusion/ddpm"] = "diffusion/ddpm"

    steps: PositiveInt = Field(default=250, description="steps from noise to data")
    variance: Variance = Field(
        default="small", description="the posterior's variance for fixed data, or for data of unit variance (ibid., sec. 3.2)"
    )

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..steps import MultistepStep

        return partial(MultistepStep, eta=1.0, large=self.variance == "large")


class DDIM(GridWalk):
    """Steps that keep the predicted noise but for a share eta, which is drawn again. Song et al. 2021a, eq. 12.

    With eta 0 it is Euler's method in sigma / alpha, of order 1; with eta 1 it is ancestral.
    """

    type: Literal["diffusion/ddim"] = "diffusion/ddim"

    eta: float = Field(default=0.0, ge=0, le=1, description=ETA)

    @property
    def random(self) -> bool:
        """Whether any noise is drawn."""
        return self.eta > 0

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..steps import MultistepStep

        return partial(MultistepStep, eta=self.eta)


class EulerAncestral(DDIM):
    """Euler's step down to less noise than the next time has, and noise for the rest. Song et al. 2021a, eq. 16.

    Another name of diffusion/ddim with ``eta``, which is 1 unless said otherwise.
    """

    type: Literal["diffusion/euler_ancestral"] = "diffusion/euler_ancestral"  # type: ignore[assignment]

    eta: float = Field(default=1.0, ge=0, le=1, description=ETA)


class Churned(GridWalk):
    """Root of Euler's and Heun's methods, with EDM's churn. Karras et al. 2022, algorithm 2."""

    churn: NonNegativeFloat = Field(
        default=0.0, description="how much noise is added back, over all steps; 0 makes the walk deterministic"
    )
    churn_interval: tuple[float, float] = Field(default=(0.0, 1.0), description="times between which noise is added back")
    churn_noise: NonNegativeFloat = Field(default=1.0, description="deviation of what is added back")

    @model_validator(mode="after")
    def _churn_between_times(self) -> Churned:
        require_interval("churn_interval", self.churn_interval)
        if not self.churn and (self.churn_interval != (0.0, 1.0) or self.churn_noise != 1):
            raise ValueError("there is no churn whose interval or noise could be set; give a churn greater than 0")
        return self

    @property
    def random(self) -> bool:
        """Whether there is any churn."""
        return self.churn > 0

    def churned(self) -> Churn:
        """Return the noise that is added back."""
        from ..flow_steps import Churn

        return Churn(self.churn, self.steps, self.churn_interval, self.churn_noise)


class Euler(Churned):
    """Euler's method along the probability flow, of order 1. Karras et al. 2022, algorithm 2 without lines 6 to 8.

    Without churn it is diffusion/ddim of ``eta`` 0.
    """

    type: Literal["diffusion/euler"] = "diffusion/euler"

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..flow_steps import RungeKuttaStep

        return partial(RungeKuttaStep, 1, self.churned())


class Heun(Churned):
    """Heun's method along the probability flow, of order 2: two predictions a step. Karras et al. 2022, algorithm 2."""

    type: Literal["diffusion/heun"] = "diffusion/heun"

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..flow_steps import RungeKuttaStep

        return partial(RungeKuttaStep, 2, self.churned())


class DPMpp2M(GridWalk):
    """Two-step exponential integration in log-SNR, of order 2: one prediction a step. Lu et al. 2022b, algorithm 2."""

    type: Literal["diffusion/dpmpp_2m"] = "diffusion/dpmpp_2m"

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..steps import MultistepStep

        return partial(MultistepStep, order=2)


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

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..steps import MultistepStep

        return partial(MultistepStep, eta=1.0, order=self.order)


class UniPC(GridWalk):
    """Multistep prediction and correction in log-SNR, one prediction a step. Zhao et al. 2023, with B_2 and predicted data.

    The corrector adds one to the order of the predictor, which at order 2 is diffusion/dpmpp_2m.
    """

    type: Literal["diffusion/unipc"] = "diffusion/unipc"

    order: Literal[1, 2, 3] = Field(default=2, description="order of the predictor")

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..steps import UniPCStep

        return partial(UniPCStep, self.order)


class PredictorCorrector(GridWalk):
    """Ancestral steps, each followed by Langevin steps at the time it leads to. Song et al. 2021b, algorithms 2 to 5."""

    type: Literal["diffusion/pc"] = "diffusion/pc"

    snr: float = Field(default=0.16, gt=0, lt=0.5, description="signal to noise of a Langevin step")
    corrections: PositiveInt = Field(
        le=1000, default=1, description="Langevin steps, each with a prediction, after an ancestral one"
    )

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..steps import PredictorCorrectorStep

        return partial(PredictorCorrectorStep, self.snr, self.corrections)


class ODE(Walk):
    """The probability flow, integrated for each example with steps of its own. Song et al. 2021b, eq. 13.

    The solver is that of Dormand & Prince 1980. The least noisy data count as clean, so that inversion leads back to data as
    exactly as the tolerance says.
    """

    type: Literal["diffusion/ode"] = "diffusion/ode"

    tolerance: PositiveFloat = Field(default=1e-4, description="error of a step, relative to 1 + |y|")
    states: PositiveInt = Field(
        default=8, ge=2, description="states that are shown on the way, at even times; what is known is put back there"
    )

    def path(self) -> Path:
        """Return points at even times from the last to the least, and clean data."""
        from ..points import EvenPath

        return EvenPath(self.states)

    def step(self) -> Callable[[], Step]:
        """Return what makes the step."""
        from ..flow_steps import AdaptiveStep

        return partial(AdaptiveStep, self.tolerance)


class ConsistencySteps(SamplerSpec):
    """Data from noise in one step of a consistency function, then again from noise that is added back to them.

    Song et al. 2023, algorithm 1, at even times.
    """

    type: Literal["diffusion/consistency"] = "diffusion/consistency"
    sampling = "Markov chain"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Consistent}

    steps: PositiveInt = Field(default=2, description="predictions, from noise to data")

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept as many steps as the process has."""
        require_chain_of(self.steps, model)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Build the sampler."""
        from ..consistency import ConsistencySampler

        return ConsistencySampler(self.steps)
