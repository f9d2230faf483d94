"""Who hears of training: an observer keeps what happens, a reporter shows it to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["History", "Observer", "Reporter", "Row", "Silent"]

Row: TypeAlias = dict[str, float]


class Observer(Protocol):
    """What a run does at the events of its training."""

    def log(self, row: Row) -> None:
        """Keep a row of metrics."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Save the trainer's tensors and state."""

    def picture(self, trainer: Trainer) -> None:
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

    def checkpoint(self, trainer: Trainer) -> None:
        """Save nothing."""

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of a metric over training, where it was logged."""
        return [row[name] for row in self.rows if name in row]

    def __repr__(self) -> str:
        last = self.rows[-1] if self.rows else {}
        return f"History({len(self.rows)} rows, last {last})"


class Reporter(Protocol):
    """Hears of training's progress. Calls come from the loop: they must return at once."""

    def begin(self, stage: str, steps: int, done: int) -> None:
        """A stage of ``steps`` begins, of which ``done`` were made before."""

    def advance(self, step: int) -> None:
        """So many steps of the stage are done."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """New averages of the loss's metrics."""

    def message(self, text: str) -> None:
        """One line that a person should read."""


class Silent:
    """Says nothing."""

    def begin(self, stage: str, steps: int, done: int) -> None:
        """Say nothing."""

    def advance(self, step: int) -> None:
        """Say nothing."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Say nothing."""

    def message(self, text: str) -> None:
        """Say nothing."""
