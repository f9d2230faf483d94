"""Bijections one after another, with the memory that gradients need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from genframe import Context

from .bijection import Bijection
from .memory import applied, recomputed, undone
from .specs.base import Memory

__all__ = ["Chain"]


class Chain(Bijection):
    """f_n ∘ ... ∘ f_1. With ``memory`` constant, the backward pass finds activations by the inverse instead of keeping them."""

    def __init__(self, layers: Iterable[Bijection], memory: Memory = "ordinary") -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.recomputed = torch.compiler.disable(recomputed) if memory == "constant" else None

    @property
    def bijections(self) -> Sequence[Bijection]:
        """The layers in the order from data to latent."""
        return list(self.layers)  # type: ignore[arg-type]

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return f(x) and the sum of the log-determinants."""
        if self.recomputed is not None and torch.is_grad_enabled():
            result: tuple[Tensor, Tensor] = self.recomputed(self.bijections, x, context)
            return result
        return applied(self.bijections, x, context)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x, through the layers' inverses in the opposite order."""
        return undone(self.bijections, y, context)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Let each layer take its state from what the layers before it make of the data."""
        for layer in self.bijections:
            x = layer.initialise(x, None if context is None else context[: len(x)])
        return x
