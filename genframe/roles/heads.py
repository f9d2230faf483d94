"""Heads: what a part puts around a plain network: its linear head, the bounds of data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from ..types import Real

__all__ = ["into_space", "projection"]

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
