"""Traits of encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .base import PosteriorDistribution

if TYPE_CHECKING:
    from torch import Tensor

    from ..values import Context

__all__ = ["Bijective", "Identity", "Layered", "NoiseProcess", "Posterior", "Quantized"]


@runtime_checkable
class Posterior(Protocol):
    """Gives a distribution over latents for each example, q(z|x)."""

    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """q(z|x): data (B, ...) -> distribution over latents (B, ...)."""


@runtime_checkable
class Bijective(Protocol):
    """Maps data to latents one to one, with a known log-determinant."""

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Latent (B, ...) and log |det dz/dx| (B,), in nats."""

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """The example whose latent it is: (B, ...) -> (B, ...)."""


class Identity(Protocol):
    """Leaves data as they are."""


@runtime_checkable
class Layered(Protocol):
    """Tells what its layers make of data, from the first to the last."""

    def activations(self, x: Tensor, context: Context | None = None) -> list[Tensor]:
        """Data (B, ...) to the activations of each layer, channels first: (B, C, grid) each."""


@runtime_checkable
class Quantized(Protocol):
    """Turns latents into indices of a finite codebook."""

    def quantize(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Quantised latent (B, ...) and int64 indices (B, ...)."""


@runtime_checkable
class NoiseProcess(Protocol):
    """Adds noise to data by a known schedule: y_t = alpha(t) y + sigma(t) noise, y the standardised data.

    Time runs from 0, the data, to 1, the most noise.
    """

    @property
    def steps(self) -> int | None:
        """The number of steps of a chain, the i-th at time i / steps; ``None`` in continuous time."""

    @property
    def least_time(self) -> float:
        """The least time at which a denoiser is asked; below it the noise is too little to matter."""

    @property
    def data_deviation(self) -> float:
        """The standard deviation of standardised data, as far as it is known."""

    def alpha_sigma(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Scale of the signal and of the noise at ``time`` (B,), in its precision: (B,), (B,)."""

    def time_at(self, log_snr: Tensor) -> Tensor:
        """The time at which log(alpha² / sigma²) has a value: (B,) -> (B,)."""

    def training_time(self, share: Tensor) -> Tensor:
        """The time below which a share of a uniform distribution over the process's times lies: (B,) -> (B,)."""

    def standardise(self, x: Tensor) -> Tensor:
        """Data in the units in which noise is added: (B, ...) -> (B, ...)."""

    def restore(self, y: Tensor) -> Tensor:
        """Standardised data in their own units, within their bounds: (B, ...) -> (B, ...)."""
