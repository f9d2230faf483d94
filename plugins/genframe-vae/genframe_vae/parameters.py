"""The spaces of a likelihood's parameters. No torch."""

from __future__ import annotations

from genframe import Mismatch, Real, Space

__all__ = ["grid_of", "stacked"]


def stacked(data: Space, parameters: int) -> Real:
    """Return the space of so many parameters for each dimension of ``data``, stacked along its first axis.

    :raises Mismatch: if ``data`` has no axis.
    """
    if not data.shape:
        raise Mismatch(f"parameters are stacked along the first axis of data, found {data}", "give the data an axis: shape [1]")
    return Real((parameters * data.shape[0], *data.shape[1:]))


def grid_of(data: Space, who: str) -> Real:
    """Return ``data`` if its values lie on a grid.

    :raises Mismatch: otherwise; the message says that ``who`` needs it.
    """
    if isinstance(data, Real) and data.discrete:
        return data
    hint = "leave dequantisation out" if isinstance(data, Real) and data.levels else "use vae/normal for continuous data"
    raise Mismatch(f"{who} is of values on a grid, found {data}", hint)
