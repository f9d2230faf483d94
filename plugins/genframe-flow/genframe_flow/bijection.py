"""A layer of a flow: a map that is one to one, with a known log-determinant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import torch
from torch import Tensor, nn

from genframe import Context

__all__ = ["Bijection", "Rebuilt"]

ROWS_AT_ONCE: Final = 256


@dataclass(frozen=True)
class Rebuilt:
    """A layer's step, computed again from its result.

    ``leaves`` together are the layer's input; ``y`` and ``log_det`` follow from them, with a graph.
    """

    leaves: tuple[Tensor, ...]
    y: Tensor
    log_det: Tensor


class Bijection(nn.Module, ABC):
    """A one-to-one map y = f(x), given a context.

    Layers are called, so that hooks run and an error can name the layer. ``level_sizes`` are the sizes of the groups of
    consecutive values into which y falls, from fine to coarse; empty where there is one group.
    """

    level_sizes: tuple[int, ...] = ()

    @abstractmethod
    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y (B, ...) and log |det dy/dx| in nats: (B,), or a scalar where it is the same for all rows."""

    @abstractmethod
    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x: (B, ...) -> (B, ...)."""

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Take the first state from data (N, ...), where the map has one, and return y, computed in chunks to bound memory."""
        contexts = repeat(None) if context is None else context.split(ROWS_AT_ONCE)
        return torch.cat([self(*rows)[0] for rows in zip(x.split(ROWS_AT_ONCE), contexts, strict=False)])

    def rebuild(self, y: Tensor, context: Context | None = None) -> Rebuilt:
        """Return the step that led to ``y``, with a graph from its leaves; override where inverse and forward share work."""
        with torch.no_grad():
            x = self.inverse(y, context)
        leaf = x.detach().requires_grad_()
        return Rebuilt((leaf,), *self(leaf, context))

    def joined(self, leaves: Sequence[Tensor]) -> Tensor:
        """Return the input, or its gradient, whose pieces are ``leaves``."""
        return leaves[0]
