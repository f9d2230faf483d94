"""Traits of any part, of networks and of samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from ..values import Context, LossOutput

__all__ = ["Completing", "Conditional", "DataDependent", "Invertible", "Pretrainable", "ReadsSequence", "TimeConditioned"]


class Conditional(Protocol):
    """Reads the condition's context: its vector, unless the part has ReadsSequence."""


class ReadsSequence(Protocol):
    """Reads the sequence of a condition's context, token by token, and its vector where there is one."""


@runtime_checkable
class DataDependent(Protocol):
    """Takes its first state from training data before its first step."""

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Set parameters and buffers in place from data (N, ...); from their codes where the part is a prior.

        A decoder may take its state from the encoder that it refers to, as trained as that is by then.
        """


@runtime_checkable
class Pretrainable(Protocol):
    """Has an objective of its own, by which it learns in a stage that trains it alone."""

    def objective(self, x: Tensor, context: Context | None = None) -> LossOutput:
        """What such a stage minimises, instead of the model's loss, on data (B, ...)."""


class TimeConditioned(Protocol):
    """Is a network that reads a time (B,) beside its input: ``network(x, time=time)``."""


@runtime_checkable
class Completing(Protocol):
    """Draws the rest of a code of which some values are known: of samplers."""

    def complete(
        self, model: Any, known: Tensor, mask: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Data (n, data) whose codes are ``known`` (n, code) where ``mask``, of a shape that broadcasts to it, is true.

        Where nothing is known, they are what the sampler draws.
        """


@runtime_checkable
class Invertible(Protocol):
    """Walks from latents to data without drawing noise, and back."""

    def invert(self, model: Any, x: Tensor, context: Context | None = None) -> Tensor:
        """The latents that the walk would lead to the data: (B, data) -> (B, latent)."""

    def trajectory_from(
        self, model: Any, latent: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Any]:
        """The states of the walk from given latents; the last one holds the data."""
