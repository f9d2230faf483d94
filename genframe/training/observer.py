"""An observer keeps what happens in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from .state import Training

__all__ = ["History", "Observer", "Row"]

Row: TypeAlias = dict[str, float]


class Observer(Protocol):
    """What a run does at the events of its training."""

    def log(self, row: Row) -> None:
        """Keep a row of metrics."""

    def checkpoint(self, training: Training) -> None:
        """Save the training's tensors and state."""

    def picture(self, training: Training) -> None:
        """Draw samples; the averaged weights are in place."""


class History:
    """Keeps the rows of metrics, and nothing else: the observer of a training without a folder.

    ``rows``: a mapping for each line of the log, such as ``{"step": 100.0, "loss": 0.3, ...}``.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def log(self, row: Row) -> None:
        """Keep the row."""
        self.rows.append(row)

    def checkpoint(self, training: Training) -> None:
        """Save nothing."""

    def picture(self, training: Training) -> None:
        """Draw nothing."""

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of a metric over training, where it was logged."""
        return [row[name] for row in self.rows if name in row]

    def __repr__(self) -> str:
        last = self.rows[-1] if self.rows else {}
        return f"History({len(self.rows)} rows, last {last})"
