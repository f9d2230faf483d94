"""Specs of the losses. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import LossSpec, Mismatch, Needs, SamplerSpec, Spaces, at, traits
from genframe.types import Invertible, NoiseProcess, Role, TraitSet

from ..choices import Objective, Pairing, TimeDistribution, Weight
from ..traits import Consistent, KeepsConditions, Preconditioned, Solver
from .samplers import DDIM

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["ConsistencyTraining", "Denoising", "Reflow"]


class Denoising(LossSpec):
    """The squared error of predicted data at random times, weighted, averaged over dimensions and the batch.

    Weights on the error of clean data, with snr = alpha² / sigma²: ``simple`` weighs the network's own target evenly (Ho et al.
    2020, eq. 14), ``min_snr`` by min(snr, gamma) (Hang et al. 2023, sec. 3.4), ``edm`` by 1 / sigma² + 1 / deviation² at alpha
    1 (Karras et al. 2022, table 1), ``sigmoid`` by snr · sigmoid(bias - log snr) (Hoogeboom et al. 2024, sec. 3.1),
    ``likelihood`` by snr / 2 over log-SNR, so that the sum over dimensions is the bound's diffusion term in nats (Kingma et
    al. 2021, eq. 17).
    """

    type: Literal["diffusion/denoising"] = "diffusion/denoising"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Preconditioned}

    objective: Objective = Field(
        default="denoising",
        description="where the error comes from: clean data, or an estimate by random projections of the network's derivative "
        "that needs noisy data alone, is noisier, and takes twice the time (sliced score matching, Song et al. 2019, eq. 8)",
    )
    weighting: Weight = Field(default="simple", description="how errors at different noise are weighed")
    gamma: PositiveFloat = Field(default=5.0, description="greatest weight of min_snr")
    bias: float = Field(default=2.0, description="log-SNR at which the weight of sigmoid on the noise's error is a half")
    times: TimeDistribution = Field(
        default="uniform",
        description="distribution of times: uniform; uniform in log-SNR; sigma / alpha log-normal (Karras et al. 2022, sec. 5) "
        "or time logit-normal (Esser et al. 2024, eq. 19), both by mean and deviation",
    )
    mean: float = Field(default=-1.2, description="mean of log_normal and logit_normal")
    deviation: PositiveFloat = Field(default=1.2, description="deviation of log_normal and logit_normal")
    low_discrepancy: bool = Field(
        default=True, description="times of a batch spread evenly over the distribution (Kingma et al. 2021, app. I.1)"
    )
    condition_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="share of conditions left out, so that sampling can be guided (Ho & Salimans 2021)"
    )
    pairing: Pairing = Field(
        default="independent",
        description="noise drawn for each example, or assigned within the batch by least squared distance (Tong et al. 2024)",
    )

    @model_validator(mode="after")
    def _bound_over_log_snr(self) -> Denoising:
        if self.weighting == "likelihood" and self.times != "log_snr":
            raise ValueError(f"weighting: likelihood is over log-SNR, found times: {self.times}; say times: log_snr")
        return self

    @property
    def provides(self) -> TraitSet:
        """Provide KeepsConditions where no condition is left out."""
        return traits() if self.condition_dropout else traits(KeepsConditions)

    def accepts(self, spaces: Spaces) -> None:
        """Accept any data; optimal pairs have no condition, which would no longer be independent of the noise."""
        if self.pairing == "optimal" and spaces.context is not None:
            with at("pairing"):
                message = "noise that is assigned to data depends on their condition"
                raise Mismatch(message, "say pairing: independent, or leave the model's condition out")

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        from ..times import Times
        from ..weighting import Weighting

        return {
            "weighting": Weighting(self.weighting, self.gamma, self.bias),
            "times": Times(self.times, self.mean, self.deviation, self.low_discrepancy),
            "objective": self.objective,
            "condition_dropout": self.condition_dropout,
            "pairing": self.pairing,
        }

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Build the loss."""
        from ..losses import DenoisingLoss

        return DenoisingLoss(**self.settings())


class Reflow(Denoising):
    """The denoising loss of pairs that a teacher's flow connects, which straightens paths. Liu et al. 2023, sec. 2.2.

    The teacher is the model at the start of training, a trained diffusion/denoising model given by ``train.start``. It makes
    new pairs for each batch; of the data only conditions are used.
    """

    type: Literal["diffusion/reflow"] = "diffusion/reflow"  # type: ignore[assignment]

    walk: SamplerSpec = Field(default=DDIM(steps=20), description="how the teacher goes from noise to data; draws none")

    @model_validator(mode="after")
    def _pairs_are_the_teachers(self) -> Reflow:
        if self.pairing != "independent":
            raise ValueError("the teacher says which noise belongs to which example; leave 'pairing' out")
        return self

    def accepts(self, spaces: Spaces) -> None:
        """Accept any data, and a walk that depends on nothing but where it starts."""
        with at("walk"):
            if Solver not in self.walk.provides:
                raise Mismatch(f"{self.walk.type} is no walk of a denoiser", "say diffusion/ddim or diffusion/heun")
            if Invertible not in self.walk.provides:
                raise Mismatch(
                    f"{self.walk.type} draws noise on its way, so that its data do not belong to where it started",
                    "say diffusion/ddim with eta: 0, or diffusion/heun without churn",
                )

    def trained_parts(self) -> tuple[Role, ...]:
        """Return the decoder, which is the teacher."""
        return ("decoder",)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Build the loss."""
        from ..reflow import ReflowLoss

        return ReflowLoss(cast(Solver, self.walk.build(spaces)), **self.settings())


class ConsistencyTraining(LossSpec):
    """The distance between where a consistency function leads from neighbouring times of one path.

    Pseudo-Huber, to a target without gradient, over times in intervals that are halved as training proceeds: Song & Dhariwal
    2024. The path leads to an example along its own noise, or, distilled, along the flow of a teacher by one step of second
    order. The teacher is the model at the start of training, a trained denoiser (Song et al. 2023, algorithm 2).
    """

    type: Literal["diffusion/consistency_training"] = "diffusion/consistency_training"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Consistent}

    distil: bool = Field(default=False, description="learn from the model at the start of training, a trained denoiser")
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
        """Build the loss."""
        from ..consistency import ConsistencyLoss

        return ConsistencyLoss(distil=self.distil, intervals=self.intervals, double_every=self.double_every)
