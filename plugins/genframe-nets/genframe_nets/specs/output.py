"""What every decoder network demands of the data it is to make."""

from __future__ import annotations

from typing import Final

from genframe import Categorical, Mismatch, Real, Space

__all__ = ["ZERO", "require_real_data"]

ZERO: Final = "start the last layer at zero, so that all outputs are zero at first (before the sigmoid of bounded data)"


def require_real_data(data: Space, who: str) -> Real:
    """Return ``data`` if it is real.

    :raises Mismatch: otherwise: classes need a likelihood around the network ``who``.
    """
    if isinstance(data, Categorical):
        raise Mismatch(f"{who} makes real values, the data is {data}", f"wrap it: {{type: vae/categorical, network: {who}}}")
    return data
