"""Discrete spaces: how many values each of their dimensions can have. No torch."""

from __future__ import annotations

from genframe import Categorical, Mismatch, Space

__all__ = ["alphabet_size"]


def alphabet_size(space: Space, who: str) -> int:
    """Return how many values each dimension of a discrete ``space`` can have.

    :raises Mismatch: where the values do not lie on a grid; the message names ``who``.
    """
    if isinstance(space, Categorical):
        return space.size
    if space.levels is None:
        raise Mismatch(f"{who} is of discrete values, found {space}", "give data with levels, or encode them by a codebook")
    if space.dequantised:
        raise Mismatch(f"{who} is of discrete values, found {space}", "leave dequantise: true out of the data")
    return space.levels
