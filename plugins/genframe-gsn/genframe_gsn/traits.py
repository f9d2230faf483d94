"""The trait that makes an encoder the first half of a Markov chain's step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from genframe import Context

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Corrupting"]


@runtime_checkable
class Corrupting(Protocol):
    """Draws a latent of each datum, which it corrupts first."""

    def encode_noisy(self, x: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """A latent drawn for each datum, in training and evaluation alike: (B, data) -> (B, latent)."""
