"""Specs of the noising processes. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import EncoderSpec, Real, Space, Spaces, require_real, traits
from genframe.types import DataDependent, NoiseProcess, TraitSet

from ..choices import Schedule
from ..traits import Chain, EndsInNoise

if TYPE_CHECKING:
    from genframe import Encoder

    from ..processes import NoisingProcess

__all__ = ["EDM", "VP", "Process", "Rectified"]


class Process(EncoderSpec):
    """Adds Gaussian noise to data step by step; has nothing to learn. Root of the processes.

    Data with bounds are standardised to [-1, 1]; others to mean 0 and deviation 1 of each channel, measured on training
    data and kept in the state. The latent is the noisiest data, the code the same at unit scale.
    """

    @property
    def provides(self) -> TraitSet:
        """Provide NoiseProcess; units of data without bounds depend on the data."""
        return traits(NoiseProcess, DataDependent)

    def latent_space(self, data: Space) -> Space:
        """Return the data's shape, without bounds."""
        return Real(require_real(data, self.type).shape)

    def process(self, data: Real) -> NoisingProcess:
        """Return the process for data of a space."""
        raise NotImplementedError(f"{type(self).__name__}.process")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the process."""
        return self.process(require_real(spaces.data, self.type))


class VP(Process):
    """The variance-preserving process, alpha² + sigma² = 1. Ho et al. 2020, eq. 4; Song et al. 2021b, eq. 11.

    Times are the steps of a chain where ``steps`` is given, else continuous.
    """

    type: Literal["diffusion/vp"] = "diffusion/vp"

    schedule: Schedule = Field(
        default="linear",
        description="what falls how: beta grows linearly (Ho et al. 2020, sec. 4), alpha is a cosine (Nichol & Dhariwal 2021, "
        "eq. 17), or log-SNR falls linearly",
    )
    steps: PositiveInt | None = Field(default=None, description="steps of the chain; none for continuous time")
    log_snr: tuple[float, float] = Field(
        default=(10.0, -10.0), description="first and last log(alpha² / sigma²) of schedule: log_snr"
    )
    least_time: float = Field(
        default=1e-3, gt=0, lt=0.5, description="least time at which a denoiser is asked, in continuous time"
    )
    zero_terminal_snr: bool = Field(
        default=False, description="rescale alpha to end at 0, so that the last time is noise alone (Lin et al. 2024, alg. 1)"
    )

    @model_validator(mode="after")
    def _falls(self) -> VP:
        if self.log_snr[0] <= self.log_snr[1]:
            raise ValueError(f"log_snr falls from first to last, found {self.log_snr[0]:g} to {self.log_snr[1]:g}")
        if self.steps == 1:
            raise ValueError("a chain has at least 2 steps")
        return self

    @property
    def provides(self) -> TraitSet:
        """Provide Chain where ``steps`` is given, EndsInNoise with ``zero_terminal_snr``."""
        more = {Chain: self.steps is not None, EndsInNoise: self.zero_terminal_snr}
        return super().provides | traits(*(trait for trait, given in more.items() if given))

    def process(self, data: Real) -> NoisingProcess:
        """Return the process for data of a space."""
        from ..preserving import CosineVP, DiscreteVP, LinearVP, LogSNRVP

        zero = self.zero_terminal_snr
        if self.steps is not None:
            return DiscreteVP(data, self.steps, self.schedule, ends=self.log_snr, zero_terminal_snr=zero)
        match self.schedule:
            case "linear":
                return LinearVP(data, self.least_time, zero_terminal_snr=zero)
            case "cosine":
                return CosineVP(data, self.least_time, zero_terminal_snr=zero)
            case "log_snr":
                return LogSNRVP(data, self.least_time, ends=self.log_snr, zero_terminal_snr=zero)


class EDM(Process):
    """Noise of growing deviation on data as they are; time is its logarithm. Karras et al. 2022, table 1."""

    type: Literal["diffusion/edm"] = "diffusion/edm"

    sigma_min: PositiveFloat = Field(default=0.002, description="least deviation of the noise")
    sigma_max: PositiveFloat = Field(default=80.0, description="greatest deviation of the noise")

    @model_validator(mode="after")
    def _grows(self) -> EDM:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min must be less than sigma_max, found {self.sigma_min:g} and {self.sigma_max:g}")
        return self

    def process(self, data: Real) -> NoisingProcess:
        """Return the process for data of a space."""
        from ..processes import VarianceExploding

        return VarianceExploding(data, self.sigma_min, self.sigma_max)


class Rectified(Process):
    """Straight paths from data to noise, alpha = 1 - t and sigma = t. Liu et al. 2023, eq. 1; Lipman et al. 2023, eq. 20."""

    type: Literal["diffusion/rectified"] = "diffusion/rectified"

    least_time: float = Field(default=1e-3, gt=0, lt=0.5, description="least time at which a denoiser is asked")

    @property
    def provides(self) -> TraitSet:
        """Provide EndsInNoise too."""
        return super().provides | traits(EndsInNoise)

    def process(self, data: Real) -> NoisingProcess:
        """Return the process for data of a space."""
        from ..processes import StraightPaths

        return StraightPaths(data, self.least_time)
