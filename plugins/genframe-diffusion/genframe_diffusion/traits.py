"""The traits of this family: what its parts can do beyond the traits of genframe. No torch at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

from genframe.types import Denoiser, NoiseProcess

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from genframe import Context, Model

    from .denoiser import Coefficients

__all__ = [
    "Chain",
    "Consistent",
    "Denoise",
    "EndsInNoise",
    "KeepsConditions",
    "Preconditioned",
    "PredictsNoise",
    "Solver",
    "consistent",
    "preconditioned",
    "process_of",
]

Denoise: TypeAlias = "Callable[..., Tensor]"
"""Predicts clean data from noisy data (n, ...) and a time (n,), and where there is a context, from it as a third argument."""


class Chain(Protocol):
    """Is a process of a fixed number of steps, the field ``steps`` of its spec."""


class EndsInNoise(Protocol):
    """Is a process that leaves nothing of the data at time 1, where log-SNR is minus infinity."""


class PredictsNoise(Protocol):
    """Predicts the noise alone, which says nothing about the data where there is only noise."""


class KeepsConditions(Protocol):
    """Is a loss that never leaves out a condition, so that the denoiser learns nothing to guide away from."""


@runtime_checkable
class Preconditioned(Denoiser, Protocol):
    """Denoises by a network behind coefficients of its process: skip · y_t + out · F(scale · y_t, t)."""

    @property
    def process(self) -> NoiseProcess:
        """The process whose noise is removed."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> Coefficients:
        """How the network's prediction becomes clean data at a signal and noise: (B,), (B,) -> (B,) each."""

    def predict(self, noisy: Tensor, time: Tensor, scale: Tensor, context: Context | None = None) -> Tensor:
        """The network's own prediction: (B, ...), (B,), (B,) -> (B, ...)."""

    def null_context(self, n: int) -> Context | None:
        """What stands for ``n`` contexts that are left out, or ``None`` where there is no condition."""


@runtime_checkable
class Consistent(Protocol):
    """Maps noisy data at any time to the start of the probability flow through them, in one step of ``denoise``."""

    def denoise(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """The start of the flow: (B, ...), (B,) -> (B, ...)."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> Coefficients:
        """How the network's prediction becomes clean data at a signal and noise: (B,), (B,) -> (B,) each."""

    def denoise_as_teacher(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Clean data predicted by the same network as a denoiser: (B, ...), (B,) -> (B, ...)."""


@runtime_checkable
class Solver(Protocol):
    """Walks from given noise to data by any function that denoises."""

    def solve(
        self,
        denoise: Denoise,
        noise: Tensor,
        process: NoiseProcess,
        context: Any = None,
        generator: Generator | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> Tensor:
        """Clean data of standard normal noise: (n, ...) -> (n, ...)."""


def process_of(model: Model) -> NoiseProcess:
    """Return the model's encoder, which ``check`` has found to be a process."""
    return cast(NoiseProcess, model.encoder)


def preconditioned(model: Model) -> Preconditioned:
    """Return the model's decoder, which ``check`` has found to be a denoiser behind coefficients."""
    return cast(Preconditioned, model.decoder)


def consistent(model: Model) -> Consistent:
    """Return the model's decoder, which ``check`` has found to be a consistency function."""
    return cast(Consistent, model.decoder)
