"""FiLM: a context that scales and shifts channels."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from .initialisation import initialised, scaled
from .inputs import flat_context

__all__ = ["FiLM"]

FIRST_SCALE: Final = 0.1


class FiLM(nn.Module):
    """(1 + scale(c)) x + shift(c) for each channel, both linear in the context. Perez et al. 2018, eq. 2.

    Starts near the identity: weights N(0, 0.01 / fan-in). Without a context it has no parameters and does nothing.
    """

    def __init__(self, context_dims: int, channels: int) -> None:
        super().__init__()
        self.context_dims = context_dims
        if context_dims:
            self.linear = scaled(initialised(nn.Linear(context_dims, 2 * channels), before=None), FIRST_SCALE)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return features modulated by the context: (B, C, ...), (B, ...) -> (B, C, ...)."""
        if not self.context_dims:
            return x
        film = self.linear(flat_context(context, self.context_dims))  # (B, 2C)
        if x.dim() > 2:
            film = film.reshape(*film.shape, *(1,) * (x.dim() - 2))
        scale, shift = film.chunk(2, 1)  # (B, C, 1, ...) each
        return torch.addcmul(x + shift, x, scale)
