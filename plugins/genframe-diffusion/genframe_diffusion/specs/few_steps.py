"""Specs of what samples in a few steps: consistency functions, and straighter paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, cast, runtime_checkable

from pydantic import Field, PositiveInt, model_validator

from genframe import (
    ContextSpace,
    DecoderSpec,
    LossSpec,
    Mismatch,
    ModelSpec,
    Needs,
    Real,
    SamplerSpec,
    Space,
    Spaces,
    at,
    conditional_if,
    require_real,
    traits,
)
from genframe.specs import Role
from genframe.traits import NoiseProcess, SamplingKind, TraitSet

from .denoiser import require_timed
from .losses import Denoising
from .processes import VP
from .samplers import DDIM, Walk

if TYPE_CHECKING:
    from genframe import Decoder, Encoder, Loss, Sampler

__all__ = ["ConsistencyFunction", "ConsistencySteps", "ConsistencyTraining", "Consistent", "Reflow"]


@runtime_checkable
class Consistent(Protocol):
    """Leads by ``denoise`` from noisy data at any time to the data where the probability flow through them begins."""


class ConsistencyFunction(DecoderSpec):
    """Clean data to which the probability flow leads from noisy data, in one step. Song et al. 2023, sec. 3.

    A network behind EDM's coefficients, shifted so that data at the least time are left as they are (ibid., app. C). A denoiser
    with prediction: edm has the same weights, from which to begin.
    """

    type: Literal["diffusion/consistency_function"] = "diffusion/consistency_function"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess}

    network: DecoderSpec = Field(
        default=cast(DecoderSpec, "nets/unet"), validate_default=True, description="the network, which must read a time"
    )

    @property
    def provides(self) -> TraitSet:
        """Provide Consistent; read the condition if the network does."""
        return traits(Consistent) | conditional_if(self.network)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real data of any levels, if the network keeps their shape and reads a time."""
        require_timed(self.network, Real(require_real(data, self.type).shape), context)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the function of the process ``encoder``."""
        from ..consistency import ConsistencyDecoder

        return ConsistencyDecoder(self, require_real(spaces.data, self.type), spaces.context, encoder)


class ConsistencyTraining(LossSpec):
    """The distance between where a consistency function leads from neighbouring times of one path.

    Pseudo-Huber, to a target without gradient, over times in intervals that are halved as training goes on: Song & Dhariwal
    2024. The path leads to a datum along its own noise, or, distilled, along the flow of a teacher: the model as it begins, a
    trained denoiser (Song et al. 2023, algorithm 2), by one step of second order.
    """

    type: Literal["diffusion/consistency_training"] = "diffusion/consistency_training"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Consistent}

    distil: bool = Field(default=False, description="learn from the model as it begins, a trained denoiser")
    intervals: tuple[PositiveInt, PositiveInt] = Field(
        default=(10, 1280), description="first and last number of intervals between times"
    )
    double_every: PositiveInt = Field(default=1000, description="batches after which there are twice as many intervals")

    @model_validator(mode="after")
    def _grows(self) -> ConsistencyTraining:
        first, last = self.intervals
        if not 2 <= first <= last:
            raise ValueError(f"intervals grow from 2 or more, found {first} to {last}")
        return self

    def trained_parts(self) -> tuple[Role, ...]:
        """Return the decoder where it is the teacher."""
        return ("decoder",) if self.distil else ()

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..consistency import ConsistencyLoss

        return ConsistencyLoss(self)


class Reflow(Denoising):
    """The denoising loss of pairs that a teacher's flow connects, which straightens paths. Liu et al. 2023, sec. 2.2.

    The teacher is the model as it begins, trained by diffusion/denoising and taken by ``train.start``. It makes new pairs for
    each batch; of the data only conditions are used.
    """

    type: Literal["diffusion/reflow"] = "diffusion/reflow"  # type: ignore[assignment]

    walk: SamplerSpec = Field(default=DDIM(steps=20), description="how the teacher goes from noise to data; draws none")

    @model_validator(mode="after")
    def _pairs_are_the_teachers(self) -> Reflow:
        if self.pairing != "independent":
            raise ValueError("the teacher says which noise belongs to which datum; leave 'pairing' out")
        return self

    def accepts(self, spaces: Spaces) -> None:
        """Accept any data, and a walk that depends on nothing but where it begins."""
        with at("walk"):
            if not isinstance(self.walk, Walk):
                raise Mismatch(f"{self.walk.type} is no walk of a denoiser", "say diffusion/ddim or diffusion/heun")
            if self.walk.random:
                raise Mismatch(
                    f"{self.walk.type} draws noise on its way, so that its data do not belong to where it began",
                    "say diffusion/ddim with eta: 0, or diffusion/heun without churn",
                )

    def trained_parts(self) -> tuple[Role, ...]:
        """Return the decoder, which is the teacher."""
        return ("decoder",)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..reflow import ReflowLoss

        return ReflowLoss(self)


class ConsistencySteps(SamplerSpec):
    """Data from noise in one step of a consistency function, then again from noise that is added back to them.

    Song et al. 2023, algorithm 1, at even times.
    """

    type: Literal["diffusion/consistency"] = "diffusion/consistency"
    sampling: ClassVar[SamplingKind] = "Markov chain"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Consistent}

    steps: PositiveInt = Field(default=2, description="predictions, from noise to data")

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Accept as many steps as the process has."""
        process = model.encoder
        if isinstance(process, VP) and process.steps is not None and self.steps > process.steps:
            with at("steps"):
                raise Mismatch(f"the chain of {process.type} has {process.steps} steps, found {self.steps}", "take fewer")

    def times(self, process: NoiseProcess) -> list[float]:
        """Return the times of the predictions, from 1 down."""
        from ..points import grid_times

        return grid_times(process, "uniform", self.steps)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..consistency import ConsistencySampler

        return ConsistencySampler(self)
