"""Bijections that only move values: their log-determinant is zero."""

from __future__ import annotations

from torch import Tensor

from genframe import Context, Real

from .bijection import Bijection

__all__ = ["Flatten", "Permutation"]


class Flatten(Bijection):
    """Data of any shape as vectors."""

    def __init__(self, data: Real) -> None:
        super().__init__()
        self.shape = data.shape

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return (B, ...) -> (B, D) and zero."""
        return x.flatten(1), x.new_zeros(())

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, D) -> (B, ...)."""
        x: Tensor = y.unflatten(1, self.shape)
        return x


class Permutation(Bijection):
    """Entries of the first axis in a fixed order."""

    order: Tensor
    back: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the entries in their new order and zero."""
        return x[:, self.order], x.new_zeros(())

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the entries in their old order."""
        return y[:, self.back]
