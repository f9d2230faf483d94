"""Traits of networks, beyond those of genframe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Transposable"]


@runtime_checkable
class Transposable(Protocol):
    """Is a stack of linear layers that can be run backwards with transposed weights."""

    def weights(self) -> list[Tensor]:
        """Weights of the linear layers in the order of encoding, (out, in) each; the first reads the data alone."""

    def activate(self, x: Tensor) -> Tensor:
        """The activation between the layers: (B, ...) -> (B, ...)."""
