"""The trait that makes an encoder the first half of a Markov chain's step, and names of choices. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from genframe import Context

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Corrupting", "CorruptionKind", "Shown"]

CorruptionKind: TypeAlias = Literal["salt_and_pepper", "gaussian"]
Shown: TypeAlias = Literal["mean", "sample"]


@runtime_checkable
class Corrupting(Protocol):
    """Draws a latent of each example, which it corrupts first."""

    def encode_noisy(self, x: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """A latent drawn for each example, in training and evaluation alike: (B, data) -> (B, latent)."""
