"""Who hears of training: an observer keeps what happens, a reporter shows it to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from .folder import Row

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Observer", "Reporter", "Silent"]


class Observer(Protocol):
    """What a run does at the events of its training."""

    def log(self, row: Row) -> None:
        """Keep a row of metrics."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Save the trainer's tensors and state."""

    def picture(self, trainer: Trainer) -> None:
        """Draw samples; the averaged weights are in place."""


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
