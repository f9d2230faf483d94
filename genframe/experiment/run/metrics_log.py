"""The file metrics.jsonl of a run: one JSON object per line, with the step and the metrics since the line before."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ...output.files import storing
from ...training.observer import Row
from ...types.errors import StorageError

__all__ = ["MetricsLog"]

LONGEST_LINE = 1 << 16


class MetricsLog:
    """The metrics of a training, as a file that grows. Damaged lines are passed over, and never keep a run from being used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Row) -> None:
        """Add a line.

        :raises StorageError: if the volume refuses.
        """
        with storing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def rows(self) -> list[Row]:
        """Return what can be read: nothing where there is no such file, or something else in its place."""
        try:
            with _opened(self.path) as file:
                return [row for _, row in _rows(file)]
        except OSError:
            return []

    def cut(self, step: int) -> list[Row]:
        """Drop the lines from the first one after ``step`` on, and a last line that a crash left incomplete; return the others.

        What is no regular file makes room: it gets another name, and nothing of it is lost.

        :raises StorageError: if the volume refuses.
        """
        if not os.path.lexists(self.path):
            return []
        if not stat.S_ISREG(self.path.lstat().st_mode):
            self._move_aside()
            return []
        kept: list[Row] = []
        with storing(self.path), self.path.open("r+b") as file:
            for start, row in _rows(file):
                if row["step"] > step:
                    file.truncate(start)
                    return kept
                kept.append(row)
            file.truncate(_end_of_last_line(file))
        return kept

    def _move_aside(self) -> None:
        for number in range(1000):
            other = self.path.with_name(f"{self.path.name}.damaged-{number}")
            if not os.path.lexists(other):
                with storing(self.path):
                    self.path.rename(other)
                return
        raise StorageError(f"{self.path} is not a file, and cannot be moved aside")


def _opened(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe would wait for a writer, so it is refused first.

    :raises OSError: if it is not one.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(f"{path} is not a regular file")
    return path.open("rb")


def _rows(file: BinaryIO) -> Iterator[tuple[int, Row]]:
    """Yield each readable row with the place where its line starts."""
    while True:
        start = file.tell()
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        row = _row(line)
        if row is not None:
            yield start, row


def _end_of_last_line(file: BinaryIO) -> int:
    """Return the place behind the last line break, so that what is appended starts a line."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - LONGEST_LINE)
    file.seek(start)
    tail = file.read()
    return start + tail.rfind(b"\n") + 1 if b"\n" in tail else (size if start else 0)


def _line(row: Row) -> str:
    """Return a row as a line of JSON, which has no word for NaN and infinity: they are null."""
    return json.dumps({name: value if math.isfinite(value) else None for name, value in row.items()}) + "\n"


def _row(line: bytes) -> Row | None:
    """Return the numbers in a line; ``None`` for one that is damaged or has no step."""
    try:
        row = json.loads(line)
        values = {name: _number(value) for name, value in row.items() if value is None or isinstance(value, (int, float))}
    except (ValueError, OverflowError, AttributeError, RecursionError):
        return None
    return values if math.isfinite(values.get("step", math.nan)) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
