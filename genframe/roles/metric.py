"""What measures a model, and the result that it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import Split

__all__ = ["Metric", "MetricResult"]


@dataclass(frozen=True)
class MetricResult:
    """A value with its protocol: two results are comparable only if ``stamp`` is the same.

    ``standard_error`` is of ``value``, in the same ``unit``, where the metric can tell it.
    """

    name: str
    value: float
    unit: str
    stamp: dict[str, Any]
    standard_error: float | None = None
    note: str = ""

    def differs_from(self, other: MetricResult) -> list[str]:
        """Return the dotted fields in which name, unit or protocol of two results differ; empty where they are comparable."""
        mine, theirs = (_flat({"name": one.name, "unit": one.unit, **one.stamp}) for one in (self, other))
        return [name for name in mine | theirs if name not in mine or name not in theirs or mine[name] != theirs[name]]

    def __str__(self) -> str:
        error = f" ± {self.standard_error:.2g}" if self.standard_error is not None else ""
        return f"{self.name}: {self.value:.5g}{error} {self.unit}".rstrip() + (f" ({self.note})" if self.note else "")


def _flat(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their dotted names."""
    found: dict[str, Any] = {}
    for name, entry in value.items():
        found |= _flat(entry, f"{path}{name}.") if isinstance(entry, Mapping) else {f"{path}{name}": entry}
    return found


class Metric(ABC):
    """Measures a trained model on held-out data."""

    @abstractmethod
    def measure(self, model: Any, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return the results on ``split``, a function of ``seed``; ``train`` is for metrics that fit a reference.

        The model's modes and torch's global generator are as before afterwards.
        """
