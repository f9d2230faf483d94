"""Tables as text: marks between cells, quotes, comments and headings."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from genframe import DataError

from .cells import seems_number
from .columns import SHOWN, Column, TableFile
from .headings import is_heading
from .lines import encoding, lines

__all__ = ["Delimited"]

PROBED: Final = 20
CELL: Final = re.compile(r'"(?:[^"]|"")*"|\S+')
NAMES: Final = {"latin-1": "Latin-1", **dict.fromkeys(("utf-16", "utf-16-le", "utf-16-be"), "UTF-16")}


class Delimited:
    """A table as text; its first lines are read at once.

    :raises DataError: if there is no row, or if its first row may be a heading or not.
    """

    unit: Final = "line"

    def __init__(self, file: TableFile) -> None:
        self.file, self.path = file, file.file()
        self.encoding = encoding(self.path)
        self._above = ""
        self._mark: str | None = None
        self.comments = 0
        head = self._rows(PROBED + 1)
        if not head:
            raise DataError(f"{file.path}: expected a table of numbers, found no row of them")
        (_, first), below = head[0], [cells for _, cells in head[1:]]
        self.headed, named = self._headed(first, below)
        self.commented = named is not None and not self.headed
        named = named or [""] * len(first)
        self.names = tuple(" ".join(name.split()) or str(place) for place, name in enumerate(named))

    def notes(self) -> tuple[str, ...]:
        """Return what a user should know of how it is read."""
        name = NAMES.get(self.encoding)
        notes = [f"read as {name}"] if name is not None else []
        if self.commented:
            notes.append("took the names from the comment above the first row")
        if self.comments:
            notes.append(f"left out {self.comments} lines that start with #")
        return tuple(notes)

    def fill(self, places: Sequence[int], columns: Sequence[Column]) -> None:
        """Read the cells of the columns at ``places``.

        :raises DataError: for a row of another length, or a quote that does not end.
        """
        self.comments = 0
        wanted = list(zip(places, columns, strict=True))
        for line, cells in islice(self._records(), int(self.headed), None):
            if len(cells) != len(self.names):
                raise DataError(f"{self.file.path}:{line}: expected {len(self.names)} columns, found {len(cells)}")
            for place, column in wanted:
                column.add(cells[place], line)

    def _headed(self, first: list[str], below: list[list[str]]) -> tuple[bool, list[str] | None]:
        """Return whether the first row is a heading, and the names: of it, or of the comment above."""
        above = self._split(self._above, self._mark) if self._above else []
        fits = len(above) == len(first) > 1 and not all(map(seems_number, above))
        found = is_heading(first, below)
        if fits and self.file.heading is not False and not found:
            return False, above
        headed = found if self.file.heading is None else self.file.heading
        if headed is None:
            raise DataError(
                f"{self.file.path}: the first row, {', '.join(first[:SHOWN])}, may be a heading; "
                "say heading: true or heading: false"
            )
        return headed, first if headed else None

    def _rows(self, most: int) -> list[tuple[int, list[str]]]:
        return list(islice(self._records(), most))

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line and the stripped cells of each row."""
        feed = self._uncommented()
        start = list(islice(feed, PROBED))
        self._mark = _mark([text for _, text in start], self.file.decimal)
        feed = chain(start, feed)
        if self._mark is None:
            yield from ((number, self._split(text, None)) for number, text in feed)
            return
        source = _Numbered(feed)
        reader = csv.reader(source, delimiter=self._mark, skipinitialspace=True, strict=True)
        try:
            for cells in reader:
                yield source.number, [cell.strip() for cell in cells]
        except csv.Error as error:
            raise DataError(f"{self.file.path}:{source.number}: expected whole quoted cells, found others: {error}") from None

    def _uncommented(self) -> Iterator[tuple[int, str]]:
        """Yield lines that are neither blank nor comments; within quotes there are none."""
        quoted, above, rows = False, "", 0
        for number, text in lines(self.path, self.encoding):
            bare = text.strip()
            if not quoted and bare.startswith("#"):
                self.comments += rows > 0
                above = bare[1:].strip()
            elif quoted or bare:
                if not rows:
                    self._above = above
                quoted, rows = quoted ^ bool(text.count('"') % 2), rows + 1
                yield number, text

    def _split(self, text: str, mark: str | None) -> list[str]:
        if mark is None:
            return [_unquoted(cell) for cell in CELL.findall(text)]
        return [cell.strip() for cell in next(csv.reader([text], delimiter=mark, skipinitialspace=True))]


class _Numbered(Iterator[str]):
    """Lines for the csv reader; ``number`` is that of the last one."""

    def __init__(self, feed: Iterator[tuple[int, str]]) -> None:
        self.feed, self.number = feed, 0

    def __next__(self) -> str:
        self.number, text = next(self.feed)
        return text


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _mark(head: Sequence[str], decimal: str) -> str | None:
    """Return what stands between cells, by the first lines; ``None`` for blanks."""
    text = re.sub('"[^"]*"', "", "".join(head))
    rows = text.split("\n") if '"' not in text else text[: text.index('"')].split("\n")[:-1] or [text]
    first = rows[0]
    parts = [cell.split() for cell in first.split("\t")]
    if len(parts) > 1 and not any(len(words) > 1 and all(map(seems_number, words)) for words in parts):
        return "\t"
    marks = [mark for mark in ";," if mark in first]
    if decimal == "," and all(re.fullmatch(r"[+-]?\d+,\d+", part) for part in first.split()) and first.split():
        return None
    alike = [mark for mark in marks if len({row.count(mark) for row in rows if row.strip()}) == 1]
    return next(iter(alike or marks), None)
