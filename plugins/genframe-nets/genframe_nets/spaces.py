"""What networks ask of spaces: real data, spatial axes and how stages halve them. No torch."""

from __future__ import annotations

from genframe import Categorical, Mismatch, Real, Space, require_real

__all__ = ["grids", "require_real_data", "spatial"]


def spatial(space: Space, who: str) -> Real:
    """Return ``space`` if it has channels and one to three spatial axes: (C, L), (C, H, W) or (C, D, H, W).

    :raises Mismatch: otherwise; the message says that ``who`` needs it.
    """
    space = require_real(space, who)
    if not 2 <= len(space.shape) <= 4:
        raise Mismatch(f"{who} needs channels and 1 to 3 spatial axes, found {space}", "use nets/mlp, which takes any shape")
    return space


def grids(data: Real, stages: int) -> list[tuple[int, ...]]:
    """Return the spatial axes of ``data``, and after each of ``stages`` halvings; odd sizes are rounded up.

    :raises Mismatch: if ``data`` has no channels with one to three spatial axes.
    """
    found = [spatial(data, "a convolutional network").shape[1:]]
    for _ in range(stages):
        found.append(tuple(-(-size // 2) for size in found[-1]))
    return found


def require_real_data(data: Space, who: str) -> Real:
    """Return ``data`` if it is real.

    :raises Mismatch: otherwise; classes need a likelihood around the network ``who``.
    """
    if isinstance(data, Categorical):
        raise Mismatch(f"{who} makes real values, the data is {data}", f"wrap it: {{type: vae/categorical, network: {who}}}")
    return data
