"""Tables as text: headings, quotes, decimal commas, missing values; only the columns asked for are parsed."""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, Literal

from genframe import DataError

from .files import existing_file, opened

__all__ = ["Rows", "TableFile", "chosen", "heading", "read"]

LONGEST_LINE: Final = 1 << 20
LARGEST: Final = 1 << 31
SHOWN: Final = 20
MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
TRUTH: Final = {"true": 1.0, "false": 0.0}
DATE: Final = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ T].*)?")


@dataclass(frozen=True)
class TableFile:
    """A table and how it is read: which columns, whether its first row is a heading, what a missing value does."""

    path: Path
    columns: tuple[int | str, ...] | None = None
    heading: bool | None = None
    decimal: Literal[".", ","] = "."
    missing: Literal["refuse", "drop"] = "refuse"

    def file(self) -> Path:
        """Return the full path.

        :raises DataError: if there is no such file.
        """
        return existing_file(self.path, "give a table of numbers as 'path'")


@dataclass
class Rows:
    """The numbers of the columns that were taken, row by row; their names, and how many rows were left out."""

    names: tuple[str, ...]
    numbers: array[float] = field(default_factory=lambda: array("d"))
    total: int = 0
    dropped: int = 0


def heading(file: TableFile) -> tuple[str, ...]:
    """Return the names of all columns: those of the heading, or their numbers.

    :raises DataError: if the file is empty, or if its first row may be a heading or not.
    """
    first, *_ = _rows(file, 2)
    names, _ = _headed(file, first[1])
    return names


def chosen(file: TableFile, names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the places of the columns to take: all, where none are named.

    :raises DataError: with every one that is not there.
    """
    columns = file.columns if file.columns is not None else tuple(range(len(names)))
    unknown = [column for column in columns if (column not in names if isinstance(column, str) else column >= len(names))]
    if unknown:
        listed, known = ", ".join(map(str, unknown)), ", ".join(names[:SHOWN])
        raise DataError(f"{file.path}: expected columns from 0 to {len(names) - 1} or of {known}, found {listed} in 'columns'")
    return tuple(names.index(column) if isinstance(column, str) else column for column in columns)


def read(file: TableFile) -> Rows:
    """Return the numbers of the columns to take.

    :raises DataError: with every column that is not of numbers, or has missing values that are not to be left out.
    """
    lines = _rows(file, None)
    first = next(lines)
    names, headed = _headed(file, first[1])
    taken = chosen(file, names)
    rows, bad, missing = Rows(tuple(names[place] for place in taken)), dict[int, str](), dict[int, tuple[int, int]]()
    for line, cells in lines if headed else chain([first], lines):
        if len(cells) != len(names):
            raise DataError(f"{file.path}:{line}: expected {len(names)} columns, found {len(cells)}")
        rows.total += 1
        values = [_value(cells[place], file.decimal) for place in taken]
        for place, value in zip(taken, values, strict=True):
            if value is None:
                count, at = missing.get(place, (0, line))
                missing[place] = count + 1, at
            elif math.isnan(value):
                bad.setdefault(place, f"{_kind(cells[place])} at line {line}")
        if None in values:
            rows.dropped += 1
        else:
            rows.numbers.extend(value for value in values if value is not None)
    _refuse(file, names, bad, missing)
    if not rows.numbers:
        raise DataError(f"{file.path}: expected a table of numbers, found no row of them")
    return rows


def _refuse(file: TableFile, names: tuple[str, ...], bad: dict[int, str], missing: dict[int, tuple[int, int]]) -> None:
    if bad:
        listed = ", ".join(f"{names[place]} ({what})" for place, what in sorted(bad.items())[:SHOWN])
        hint = "choose others by 'columns'" if len(bad) < len(names) else "choose a table of numbers"
        raise DataError(f"{file.path}: expected columns of numbers, found {len(bad)} of others: {listed}; {hint}")
    if missing and file.missing == "refuse":
        counts = [f"{names[place]} ({count}, first at line {line})" for place, (count, line) in sorted(missing.items())]
        listed = ", ".join(counts[:SHOWN])
        raise DataError(
            f"{file.path}: missing values in {listed}; leave their rows out with missing: drop, or choose others by 'columns'"
        )


def _kind(cell: str) -> str:
    return f"the date {cell[:40]!r}" if DATE.fullmatch(cell) else repr(cell[:40])


def _value(cell: str, decimal: str) -> float | None:
    """Return a cell's number, ``None`` where it is missing, NaN where it is no finite number."""
    try:
        number = float(cell if decimal == "." else cell.replace(".", " ").replace(",", "."))
    except ValueError:
        lower = cell.lower()
        return None if lower in MISSING else TRUTH.get(lower, math.nan)
    return None if math.isnan(number) else number if math.isfinite(number) else math.nan


def _headed(file: TableFile, cells: list[str]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the columns, and whether the first row is a heading."""
    headed = file.heading
    if headed is None:
        values = [_value(cell, file.decimal) for cell in cells]
        headed = all(value is None or math.isnan(value) for value in values)
        if not headed and all(cell.isdigit() for cell in cells) and len(set(cells)) == len(cells) > 1:
            _, second = (*_rows(file, 2), (0, []))[1]
            if second and not any(cell.lstrip("+-").isdigit() for cell in second):
                raise DataError(
                    f"{file.path}: the first row, {', '.join(cells[:SHOWN])}, may be a heading; "
                    "say heading: true or heading: false"
                )
    if not headed:
        return tuple(map(str, range(len(cells)))), False
    if len(set(cells)) < len(cells):
        return tuple(map(str, range(len(cells)))), True
    return tuple(cells), True


def _rows(file: TableFile, most: int | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and cells of the first ``most`` lines that are neither blank nor comments; all, without it.

    :raises DataError: if there is none.
    """
    lines = islice(_lines(file.file()), most)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{file.path}: expected a table of numbers, found no row of them")
    mark = _mark(first[1])
    for line, text in chain([first], lines):
        cells = text.split() if mark is None else next(csv.reader([text], delimiter=mark, skipinitialspace=True))
        yield line, [cell.strip() for cell in cells]


def _mark(text: str) -> str | None:
    """Return what stands between cells, by the first line; ``None`` for blanks."""
    plain = re.sub('"[^"]*"', "", text)
    if "\t" in plain and " " not in plain:
        return "\t"
    return ";" if ";" in plain else "," if "," in plain else None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is neither blank nor a comment."""
    total = line = 0
    with opened(path) as stream:
        wide = b""
        while raw := stream.readline(LONGEST_LINE):
            line, total = line + 1, total + len(raw)
            if len(raw) == LONGEST_LINE or total > LARGEST:
                raise DataError(f"{path}:{line}: expected lines under {LONGEST_LINE} bytes and {LARGEST} in all, found more")
            if line == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                wide = raw
            if wide:
                wide = raw if line == 1 else wide + raw
                continue
            if content := _content(raw.decode("utf-8-sig", errors="replace")):
                yield line, content
    for number, text in enumerate(wide.decode("utf-16", errors="replace").splitlines(), start=1) if wide else ():
        if content := _content(text):
            yield number, content


def _content(text: str) -> str:
    stripped = text.strip(" \r\n\0\ufeff")
    return "" if stripped.startswith("#") else stripped if stripped.strip() else ""
