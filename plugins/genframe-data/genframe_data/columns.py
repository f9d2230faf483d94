"""What to take from a table, and the columns that are taken."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from genframe import DataError

from .cells import MISSING, TRUTH, Notation
from .files import existing_file

__all__ = ["MOST_CLASSES", "SHOWN", "Column", "TableFile", "chosen"]

SHOWN: Final = 20
MOST_CLASSES: Final = 1000


@dataclass(frozen=True)
class TableFile:
    """A table and how it is read: which columns, whether its first row is a heading, what a missing value does.

    ``categories`` are columns of classes that become one column per class; ``label`` is the column of the condition.
    """

    path: Path
    columns: tuple[int | str, ...] | None = None
    heading: bool | None = None
    decimal: Literal[".", ","] = "."
    missing: Literal["refuse", "drop", "mean"] = "refuse"
    thousands: Literal[".", ",", " "] | None = None
    categories: tuple[int | str, ...] = ()
    label: int | str | None = None
    drop_constant: bool = False

    def file(self) -> Path:
        """Return the full path.

        :raises DataError: if there is no such file.
        """
        return existing_file(self.path, "give a table of numbers as 'path'")

    @property
    def notation(self) -> Notation:
        """How its numbers are written."""
        return Notation(self.decimal, self.thousands)


@dataclass
class Column:
    """The values of one column, as they are read: numbers, or the numbers of classes; NaN where one is missing."""

    name: str
    notation: Notation
    of_classes: bool = False
    values: array[float] = field(default_factory=lambda: array("d"))
    classes: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    missing_at: int = 0
    bad: str | None = None
    bad_at: int = 0
    truths: int = 0

    def add(self, cell: str, line: int) -> None:
        """Read the cell of a line."""
        if self.of_classes:
            value = None if cell.lower() in MISSING else float(self.classes.setdefault(cell, len(self.classes)))
        else:
            value = self.notation.value(cell)
            self.truths += cell.lower() in TRUTH if value in (0.0, 1.0) else 0
        if value is None:
            self.missing, self.missing_at = self.missing + 1, self.missing_at or line
        elif math.isnan(value) and self.bad is None:
            self.bad, self.bad_at = cell, line
        self.values.append(math.nan if value is None else value)

    def known(self) -> tuple[str, ...]:
        """Return the classes that occur: sorted, by number where all are whole numbers."""
        whole = all(name.lstrip("-").isdecimal() for name in self.classes)
        return tuple(sorted(self.classes, key=lambda name: (int(name) if whole else 0, name)))


def chosen(file: TableFile, names: Sequence[str]) -> tuple[tuple[int, ...], frozenset[int], int | None]:
    """Return the places of the columns to take, which of them are of classes, and the place of the label.

    All columns but the label are taken where none are named; categories are taken even if ``columns`` leaves them out.

    :raises DataError: with every one that is not there, or whose name is not the only one.
    """
    label = None if file.label is None else _places(file, names, (file.label,), "label")[0]
    categories = _places(file, names, file.categories, "categories")
    if file.columns is None:
        taken = tuple(place for place in range(len(names)) if place != label)
    else:
        taken = tuple(dict.fromkeys((*_places(file, names, file.columns, "columns"), *categories)))
    if label in taken or label in categories:
        raise DataError(f"{file.path}: {names[label or 0]} is the label; leave it out of 'columns' and 'categories'")
    if not taken:
        raise DataError(f"{file.path}: expected columns beside the label, found none")
    return taken, frozenset(categories), label


def _places(file: TableFile, names: Sequence[str], wanted: Sequence[int | str], where: str) -> tuple[int, ...]:
    unknown = [column for column in wanted if (column not in names if isinstance(column, str) else column >= len(names))]
    if unknown:
        listed, known = ", ".join(map(str, unknown)), ", ".join(names[:SHOWN])
        quoted = [column for column in unknown if str(column) in names]
        hint = f"; write names that are numbers in quotes: '{quoted[0]}'" if quoted else ""
        raise DataError(
            f"{file.path}: expected columns from 0 to {len(names) - 1} or of {known}, found {listed} in '{where}'{hint}"
        )
    for column in wanted:
        if isinstance(column, str) and names.count(column) > 1:
            places = [str(place) for place, name in enumerate(names) if name == column]
            raise DataError(f"{file.path}: {column} names columns {' and '.join(places)}; say their numbers in '{where}'")
    return tuple(names.index(column) if isinstance(column, str) else column for column in wanted)
