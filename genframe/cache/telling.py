"""Telling a person how far something long has come, without passing a reporter through every function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Progress", "progress", "showing_progress"]


class Progress(Protocol):
    """Hears of work that has a number of steps; a training's reporter is one."""

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Work of ``steps`` begins, of which ``done`` are done already; ``unit`` is what a step is called."""

    def advance(self, step: int) -> None:
        """So many steps are done."""

    def message(self, text: str) -> None:
        """One line that a person should read."""


class _Silent:
    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Say nothing."""

    def advance(self, step: int) -> None:
        """Say nothing."""

    def message(self, text: str) -> None:
        """Say nothing."""


_shown: ContextVar[Progress | None] = ContextVar("_shown", default=None)


def progress() -> Progress:
    """Return what hears of progress now."""
    return _shown.get() or _Silent()


@contextmanager
def showing_progress(shown: Progress) -> Iterator[None]:
    """Let ``shown`` hear of progress."""
    token = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(token)
