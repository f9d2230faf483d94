"""What commands print: JSON, tables, and progress; plain where standard output is not a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Bar", "Lines", "print_json", "print_table"]


def print_json(value: Any) -> None:
    """Print ``value`` as JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: by rich on a terminal, else as columns of plain text without a header."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*headers, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(headers))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


class Lines:
    """Reports progress as lines of text, for logs."""

    def begin(self, stage: str, steps: int, done: int) -> None:
        """Print the stage."""
        print(f"{stage}: {steps} steps" + (f", {done} of them done" if done else ""), flush=True)

    def advance(self, step: int) -> None:
        """Print nothing: metrics tell the step."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Print the metrics."""
        print(f"step {step}  {_short(values)}", flush=True)

    def message(self, text: str) -> None:
        """Print the line."""
        print(text, file=sys.stderr, flush=True)


class Bar:
    """Reports progress as a bar on a terminal, drawn ten times a second at most."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self._task = self._progress.add_task("", total=None, metrics="")
        self._next = 0.0

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.refresh()
        self._progress.stop()

    def begin(self, stage: str, steps: int, done: int) -> None:
        """Start the bar anew."""
        self._progress.reset(self._task, description=stage, total=steps, completed=done, metrics="")

    def advance(self, step: int) -> None:
        """Move the bar, where it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.1
            self._progress.update(self._task, completed=step, refresh=True)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Show the metrics beside the bar."""
        self._progress.update(self._task, completed=step, metrics=_short(values), refresh=True)

    def message(self, text: str) -> None:
        """Print the line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)


def _short(values: Mapping[str, float]) -> str:
    hidden = {"step", "stage", "lr", "seconds"}
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items() if name not in hidden)
