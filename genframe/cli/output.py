"""What commands print: JSON, tables, and progress; plain where standard output is not a terminal."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..training.reporter import Silent
from ..types.text import printable

__all__ = ["Bar", "Lines", "Messages", "print_json", "print_table", "say"]


def print_json(value: Any) -> None:
    """Print ``value`` as JSON; NaN and infinity, which JSON has not, are null."""
    print(json.dumps(_finite(value), indent=1, ensure_ascii=False, default=str, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: by rich on a terminal, else as columns of plain text without a header."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*headers, box=None, header_style="bold", pad_edge=False, show_header=any(headers))
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))  # brackets in a cell are no markup
        Console().print(table)
        return
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(headers))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Print a line for people, which is no part of the command's output."""
    print(text, file=sys.stderr, flush=True)


class Messages(Silent):
    """Reports no progress, only what a person should read."""

    def message(self, text: str) -> None:
        """Print the line."""
        say(text)


class Lines(Messages):
    """Reports progress as lines of text, for logs."""

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Print the stage."""
        print(f"{stage}: {steps} {unit}{'s' * (steps != 1)}" + (f", {done} of them done" if done else ""), flush=True)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Print the metrics."""
        print(f"step {step}  {_short(values)}", flush=True)


class Bar:
    """Reports progress as a bar on a terminal, drawn ten times a second at most."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=Console(stderr=True),
            auto_refresh=False,
            expand=True,
        )
        self._task = self._progress.add_task("starting", total=None, metrics="")
        self._next = 0.0
        self._done = 0

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.update(self._task, completed=self._done, refresh=True)
        self._progress.stop()

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Start the bar anew."""
        self._done = done
        self._progress.reset(self._task, description=stage, total=steps, completed=done, metrics="")

    def advance(self, step: int) -> None:
        """Move the bar, where it is time."""
        self._done = step
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.1
            self._progress.update(self._task, completed=step, refresh=True)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Show the metrics beside the bar."""
        self._progress.update(self._task, completed=self._done, metrics=_short(values), refresh=True)

    def message(self, text: str) -> None:
        """Print the line above the bar."""
        self._progress.console.print(printable(text), markup=False, highlight=False)


def _short(values: Mapping[str, float]) -> str:
    """Return the losses first, then the other metrics."""
    hidden = {"step", "stage", "lr", "seconds"}
    names = sorted(set(values) - hidden, key=lambda name: (not name.startswith("loss"), name))
    return "  ".join(f"{name} {values[name]:.4g}" for name in names)
