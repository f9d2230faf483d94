"""Spatial axes, halved stage by stage: the arithmetic that convolutional specs and networks share. No torch."""

from __future__ import annotations

from genframe import Mismatch, Real, Space, require_real

__all__ = ["grids", "spatial"]


def spatial(space: Space, who: str) -> Real:
    """Return ``space`` if it has channels and one to three spatial axes: (C, L), (C, H, W) or (C, D, H, W).

    :raises Mismatch: otherwise, naming ``who`` needs it.
    """
    space = require_real(space, who)
    if not 2 <= len(space.shape) <= 4:
        raise Mismatch(f"{who} needs channels and 1 to 3 spatial axes, found {space}", "use nets/mlp, which takes any shape")
    return space


def grids(data: Real, stages: int) -> list[tuple[int, ...]]:
    """Return the spatial axes of ``data`` and after each of ``stages`` halvings, odd sizes rounded up."""
    found = [data.shape[1:]]
    for _ in range(stages):
        found.append(tuple(-(-size // 2) for size in found[-1]))
    return found
