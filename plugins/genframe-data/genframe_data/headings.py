"""Whether the first row of a table names its columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from .cells import DATE, MISSING, TRUTH, seems_number

__all__ = ["is_heading"]

YEARS = range(1900, 2101)


def is_heading(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool | None:
    """Return whether the first row is a heading, judged by the rows below it; ``None`` where it may be one or not.

    Words alone are a heading. Words over numbers, dates over dates, years over other numbers, whole numbers over decimals and
    0, 1, 2, ... in order may be one.

    >>> is_heading(["id", "mass"], [["1", "2.5"]])
    True
    >>> print(is_heading(["2019", "2020"], [["7", "5"]]))
    None
    """
    rows = [row for row in below if len(row) == len(first)]
    if any(DATE.fullmatch(cell) and DATE.fullmatch(row[place]) for row in rows for place, cell in enumerate(first)):
        return None
    words = [place for place, cell in enumerate(first) if _is_word(cell)]
    if words and not any(_is_value(cell) for cell in first):
        return True
    if any(seems_number(row[place]) for row in rows for place in words):
        return None
    return None if not words and rows and _names(first, rows) else False


def _is_value(cell: str) -> bool:
    return seems_number(cell) or cell.lower() in TRUTH


def _is_word(cell: str) -> bool:
    return cell.lower() not in MISSING and not _is_value(cell)


def _names(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a first row of whole numbers looks unlike the rows below."""
    if not all(cell.isdigit() for cell in first) or len(set(first)) < len(first):
        return False
    below = list(chain.from_iterable(rows))
    if all(_is_year(cell) for cell in first) and sum(map(_is_year, below)) < len(below) / 2:
        return True
    counted = len(first) > 2 and [int(cell) for cell in first] in (list(range(len(first))), list(range(1, len(first) + 1)))
    return counted or (len(first) > 1 and all(_decimals([row[place] for row in rows]) for place in range(len(first))))


def _is_year(cell: str) -> bool:
    return cell.isdecimal() and len(cell) == 4 and int(cell) in YEARS


def _decimals(cells: Sequence[str]) -> bool:
    """Return whether there are decimals among the numbers of a column and no whole ones."""
    numbers = [cell for cell in cells if seems_number(cell) and any(map(str.isdigit, cell))]
    return bool(numbers) and not any(cell.lstrip("+-").isdigit() for cell in numbers)
