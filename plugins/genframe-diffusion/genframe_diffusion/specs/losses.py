"""Specs of the losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pydantic import Field, PositiveFloat, model_validator

from genframe import LossSpec, Mismatch, Needs, Spaces, at
from genframe.traits import Denoiser, NoiseProcess

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["Denoising", "Times", "Weighting"]

Weighting: TypeAlias = Literal["simple", "min_snr", "edm", "sigmoid", "likelihood"]
Times: TypeAlias = Literal["uniform", "log_snr", "log_normal", "logit_normal"]


class Denoising(LossSpec):
    """The squared error of predicted data at random times, weighted, averaged over dimensions and the batch.

    Weights on the error of clean data, with snr = alpha² / sigma²: ``simple`` weighs the network's own target evenly (Ho et al.
    2020, eq. 14), ``min_snr`` by min(snr, gamma) (Hang et al. 2023, sec. 3.4), ``edm`` by 1 / sigma² + 1 / deviation² at alpha
    1 (Karras et al. 2022, table 1), ``sigmoid`` by snr · sigmoid(bias - log snr) (Hoogeboom et al. 2024, sec. 3.1),
    ``likelihood`` by snr / 2 over log-SNR, so that the sum over dimensions is the bound's diffusion term in nats (Kingma et
    al. 2021, eq. 17).
    """

    type: Literal["diffusion/denoising"] = "diffusion/denoising"
    needs: ClassVar[Needs] = {"encoder": NoiseProcess, "decoder": Denoiser}

    objective: Literal["denoising", "sliced"] = Field(
        default="denoising",
        description="where the error comes from: clean data, or an estimate by random projections of the network's derivative "
        "that needs noisy data alone, is noisier, and takes twice the time (sliced score matching, Song et al. 2019, eq. 8)",
    )
    weighting: Weighting = Field(default="simple", description="how errors at different noise are weighed")
    gamma: PositiveFloat = Field(default=5.0, description="greatest weight of min_snr")
    bias: float = Field(default=2.0, description="log-SNR at which the weight of sigmoid on the noise's error is a half")
    times: Times = Field(
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
    pairing: Literal["independent", "optimal"] = Field(
        default="independent",
        description="noise drawn for each datum, or assigned within the batch at the least squared distance (Tong et al. 2024)",
    )

    @model_validator(mode="after")
    def _bound_over_log_snr(self) -> Denoising:
        if self.weighting == "likelihood" and self.times != "log_snr":
            raise ValueError(f"weighting: likelihood is over log-SNR, found times: {self.times}; say times: log_snr")
        return self

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..losses import DenoisingLoss

        return DenoisingLoss(self)

    def accepts(self, spaces: Spaces) -> None:
        """Accept any data; optimal pairs have no condition, which would no longer be independent of the noise."""
        if self.pairing == "optimal" and spaces.context is not None:
            with at("pairing"):
                message = "noise that is assigned to data tells their condition"
                raise Mismatch(message, "say pairing: independent, or leave the model's condition out")
