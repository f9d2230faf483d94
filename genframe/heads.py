"""Heads: what a part puts around a plain network: its linear head, the bounds of data, the vector of a context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from .spaces import ContextSpace, Real
from .values import Context

__all__ = ["into_space", "projection", "vector_dims", "vector_of"]

POINTWISE: Final[dict[int, Callable[[int, int, int], nn.Module]]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def projection(features: Real, channels: int) -> nn.Module:
    """Return a linear map of features to ``channels``: (B, D) -> (B, channels), (B, C, ...) -> (B, channels, ...).

    For features with one to three spatial axes it is a 1×1 convolution. Its result has the space
    :func:`genframe.projected`.
    """
    size, *axes = features.shape
    return POINTWISE[len(axes)](size, channels, 1) if axes else nn.Linear(size, channels)


def into_space(x: Tensor, space: Real) -> Tensor:
    """Return unbounded ``x`` squashed by a sigmoid into the bounds of ``space``, as it is where there are none."""
    if space.low is None or space.high is None:
        return x
    return space.low + (space.high - space.low) * torch.sigmoid(x)


def vector_dims(context: ContextSpace | None) -> int:
    """Return the size of the context's flattened vector, zero where there is none."""
    return context.vector.dims if context is not None and context.vector is not None else 0


def vector_of(context: Context | None) -> Tensor | None:
    """Return the context's vector (B, ...), where there is one."""
    return context.vector if context is not None else None
