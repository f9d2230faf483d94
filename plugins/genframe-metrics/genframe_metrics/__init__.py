"""genframe plugin: metrics with their protocol stamped on every result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, hookimpl

from .modes import Modes
from .specs import Elbo, Mmd, Nll, Pca, Reconstruction

if TYPE_CHECKING:
    from genframe import MetricResult

__all__ = ["Elbo", "Mmd", "Modes", "Nll", "Pca", "Reconstruction", "comparable"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the metrics."""
    return [Elbo, Mmd, Modes, Nll, Pca, Reconstruction]


def comparable(one: MetricResult, other: MetricResult) -> bool:
    """Return whether both are the same figure, in the same unit, measured by the same protocol."""
    return (one.name, one.unit, one.stamp) == (other.name, other.unit, other.stamp)
