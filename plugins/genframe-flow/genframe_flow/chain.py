"""Bijections one after another, with the memory that gradients need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from genframe import Context

from .bijection import Bijection
from .choices import Memory
from .memory import applied, recomputed, undone

__all__ = ["Chain"]


class Chain(Bijection):
    """f_n ∘ ... ∘ f_1.

    :param layers: f_1 to f_n.
    :param memory: ``constant`` lets the backward pass find activations by the inverse instead of keeping them.

    >>> from genframe_flow import Diagonal, Linear
    >>> _ = torch.manual_seed(0)
    >>> chain, x = Chain([Linear(4), Diagonal(4)]), torch.randn(3, 4)
    >>> y, log_det = chain(x)
    >>> y.shape, log_det.shape
    (torch.Size([3, 4]), torch.Size([3]))
    >>> bool(torch.allclose(chain.inverse(y), x, atol=1e-5))
    True
    """

    def __init__(self, layers: Iterable[Bijection], memory: Memory = "ordinary") -> None:
        super().__init__()
        layers = list(layers)
        self.layers = nn.ModuleList(layers)
        self.level_sizes = layers[-1].level_sizes if layers else ()
        self.recomputed = torch.compiler.disable(recomputed) if memory == "constant" else None

    @property
    def bijections(self) -> Sequence[Bijection]:
        """The layers in the order from data to latent."""
        return list(self.layers)  # type: ignore[arg-type]

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return f(x) (B, ...) and the sum of the log-determinants (B,)."""
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
