"""The metrics since the last line of the log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["MetricWindow", "averages"]


class MetricWindow:
    """Collects scalars on the device and reads them all at once, when they are taken or the state is asked for."""

    def __init__(self, entries: Iterable[Mapping[str, float]] = ()) -> None:
        self._entries: list[dict[str, Tensor | float]] = [dict(entry) for entry in entries]

    def add(self, values: dict[str, Tensor | float]) -> None:
        """Take in the scalars of one step, without reading them."""
        self._entries.append(values)

    def entries(self) -> list[dict[str, float]]:
        """Return the scalars of each step as numbers."""
        tensors = [value for entry in self._entries for value in entry.values() if isinstance(value, Tensor)]
        numbers = iter(torch.stack([tensor.float().reshape(()) for tensor in tensors]).tolist() if tensors else ())
        read = [
            {name: next(numbers) if isinstance(value, Tensor) else value for name, value in entry.items()}
            for entry in self._entries
        ]
        self._entries = [*map(dict, read)]
        return read

    def take(self) -> list[dict[str, float]]:
        """Return the scalars of each step as numbers, and start a new window."""
        entries = self.entries()
        self._entries = []
        return entries


def averages(entries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each metric's mean over the steps that had it."""
    names = sorted({name for entry in entries for name in entry})
    return {name: _mean([entry[name] for entry in entries if name in entry]) for name in names}


def _mean(numbers: Sequence[float]) -> float:
    """Return the mean; NaN and infinity stay in it."""
    finite = all(math.isfinite(number) for number in numbers)
    return (math.fsum(numbers) if finite else sum(numbers)) / len(numbers)
