"""A reporter shows to a person what happens in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Reporter", "Silent"]


class Reporter(Protocol):
    """Hears of training's progress. Calls come from the loop: they must return at once."""

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """A stage of ``steps`` begins, of which ``done`` were made before; ``unit`` is what a step is called."""

    def advance(self, step: int) -> None:
        """So many steps of the stage are done."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """New averages of the loss's metrics."""

    def message(self, text: str) -> None:
        """One line that a person should read."""


class Silent:
    """Says nothing."""

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Say nothing."""

    def advance(self, step: int) -> None:
        """Say nothing."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Say nothing."""

    def message(self, text: str) -> None:
        """Say nothing."""
