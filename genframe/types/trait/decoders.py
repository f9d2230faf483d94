"""Traits of decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .base import Distribution

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ..values import Context

__all__ = ["DataBound", "DataDensity", "Denoiser", "EncoderInverse", "Likelihood"]


class EncoderInverse(Protocol):
    """Decodes by the inverse of the model's encoder, so that density and samples are of one model."""


@runtime_checkable
class Likelihood(Protocol):
    """Gives a distribution over data for each latent, p(x|z)."""

    def likelihood(self, latent: Tensor, context: Context | None = None) -> Distribution:
        """p(x|z): latents (B, ...) -> distribution over data (B, ...)."""


@runtime_checkable
class Denoiser(Protocol):
    """Predicts clean data from noisy data at a time, both standardised."""

    def denoise(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Predicted clean data, without the condition where there is no context: (B, ...), (B,) -> (B, ...)."""


@runtime_checkable
class DataBound(Protocol):
    """Bounds the log-density of data from below, through the model's encoder and prior."""

    def data_log_prob(
        self, x: Tensor, prior: Any, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> tuple[Tensor, str]:
        """Log density or probability of data in nats, and the name of its estimator: (B, ...) -> (B,)."""


@runtime_checkable
class DataDensity(Protocol):
    """Gives the log-density of data, exact but for a stated error, through the model's encoder and prior."""

    def data_log_prob(
        self, x: Tensor, prior: Any, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> tuple[Tensor, str]:
        """Log density or probability of data in nats, and the name of its estimator: (B, ...) -> (B,)."""
