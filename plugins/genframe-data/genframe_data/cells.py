"""Cells of a table as numbers, and what would do where they are none."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

__all__ = ["DATE", "MISSING", "TRUTH", "Notation", "seems_number"]

MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
TRUTH: Final = {"true": 1.0, "false": 0.0}
DATE: Final = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ T].*)?")
SEEMS: Final = re.compile(r"[+-]?[\d.,_' \u00a0\u202f]*\d[\d.,_']*([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
BLANKS: Final = str.maketrans("\u00a0\u202f", "  ")


def seems_number(cell: str) -> bool:
    """Return whether a cell is meant as a number, in whatever notation; a date is not."""
    return SEEMS.fullmatch(cell) is not None and DATE.fullmatch(cell) is None


@dataclass(frozen=True)
class Notation:
    """How numbers are written: what stands before decimals, and between groups of three digits."""

    decimal: str = "."
    thousands: str | None = None

    def value(self, cell: str) -> float | None:
        """Return a cell's number, ``None`` where it is missing, NaN where it is no finite number; true is 1 and false 0.

        >>> Notation(",", ".").value("1.000,5")
        1000.5
        """
        try:
            number = float(self._plain(cell))
        except ValueError:
            lower = cell.lower()
            return None if lower in MISSING else TRUTH.get(lower, math.nan)
        if math.isnan(number):
            return None
        return number if math.isfinite(number) and "_" not in cell else math.nan

    def _plain(self, cell: str) -> str:
        if self.decimal == "." and self.thousands is None:
            return cell
        if self.thousands is not None:
            cell = cell.translate(BLANKS)
            if self.thousands in cell and re.fullmatch(self._grouped(self.thousands, self.decimal), cell):
                cell = cell.replace(self.thousands, "")
        return cell if self.decimal == "." else "no number" if "." in cell else cell.replace(",", ".")

    @staticmethod
    def _grouped(thousands: str, decimal: str) -> str:
        group, mark = re.escape(thousands), re.escape(decimal)
        return rf"[+-]?\d{{1,3}}({group}\d{{3}})+({mark}\d*)?([eE][+-]?\d+)?"

    def kind(self, cell: str) -> str:
        """Return what a cell is, for a message."""
        return f"the date {cell[:40]!r}" if DATE.fullmatch(cell) else repr(cell[:40])

    def hint(self, cell: str) -> str | None:
        """Return what would read a cell as a number; ``None`` for words."""
        if DATE.fullmatch(cell):
            return "save dates as numbers, such as days"
        readers = [other for other in self._others() if _finite(other.value(cell))]
        if readers:
            least = min(map(self._changes, readers), key=len)
            same = [self._changes(other) for other in readers if len(self._changes(other)) == len(least)]
            return f"say {' or '.join(' and '.join(changes) for changes in same)}"
        return "write numbers without underscores" if "_" in cell and seems_number(cell) else None

    def _others(self) -> list[Notation]:
        pairs = [(decimal, thousands) for decimal in (",", ".") for thousands in (None, ",", ".", " ")]
        known = [Notation(decimal, thousands) for decimal, thousands in pairs if decimal != thousands]
        return [other for other in known if self._changes(other)]

    def _changes(self, other: Notation) -> list[str]:
        """Return the fields to say so that numbers are read as the other notation has them."""
        said = [f'decimal: "{other.decimal}"'] if other.decimal != self.decimal else []
        return said + ([f'thousands: "{other.thousands}"'] if other.thousands not in (None, self.thousands) else [])


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
