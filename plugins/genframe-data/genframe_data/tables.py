"""Tables of numbers as text: columns between blanks, commas or semicolons, plain or gzip."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from genframe import DataError

from .files import Unpacked, opened

__all__ = ["chosen", "read", "width"]

LONGEST_LINE: Final = 1 << 20
LARGEST: Final = 1 << 31


def width(path: Path) -> int:
    """Return the number of columns, by the first line.

    :raises DataError: if the file is empty or not a table.
    """
    with opened(path) as stream:
        for _, cells in _lines(stream, path):
            return len(cells)
    raise DataError(f"{path}: expected a table of numbers, found an empty file")


def chosen(path: Path, columns: tuple[int, ...] | None, width: int) -> tuple[int, ...]:
    """Return the columns to take of ``width``: all, where none are named.

    :raises DataError: if there are not so many.
    """
    columns = columns if columns is not None else tuple(range(width))
    if max(columns) >= width:
        raise DataError(f"{path}: expected columns from 0 to {width - 1}, found {max(columns)} in 'columns'")
    return columns


def read(path: Path) -> tuple[array[float], int]:
    """Return all numbers row by row, and the number of columns. A first line without a number is a heading.

    :raises DataError: for the first cell or line that does not fit, with its place.
    """
    numbers: array[float] = array("d")
    columns = 0
    with opened(path) as stream:
        for line, cells in _lines(stream, path):
            if columns and len(cells) != columns:
                raise DataError(f"{path}:{line}: expected {columns} columns, found {len(cells)}")
            if not columns and not any(_is_number(cell) for cell in cells):
                columns = len(cells)
                continue
            columns = len(cells)
            numbers.extend(_number(cell, f"{path}:{line}:{place}") for place, cell in enumerate(cells, start=1))
    if not numbers:
        raise DataError(f"{path}: expected a table of numbers, found no row of them")
    return numbers, columns


def _lines(stream: Unpacked, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each line's number and cells; blank lines and those that start with # are passed over."""
    total = 0
    line = 0
    while text := stream.readline(LONGEST_LINE):
        line, total = line + 1, total + len(text)
        if len(text) == LONGEST_LINE or total > LARGEST:
            raise DataError(f"{path}:{line}: expected lines under {LONGEST_LINE} bytes and {LARGEST} in all, found more")
        content = text.decode("utf-8-sig", errors="replace").strip()
        if content and not content.startswith("#"):
            yield line, _cells(content)


def _cells(text: str) -> list[str]:
    mark = ";" if ";" in text else "," if "," in text else None
    return [cell.strip() for cell in text.split(mark)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, place: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        raise DataError(f"{place}: expected a number, found {cell[:40]!r}") from None
    if not math.isfinite(number):
        raise DataError(f"{place}: expected a finite number, found {cell[:40]!r}")
    return number
