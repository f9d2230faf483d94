"""Reading tables: the rows of the columns asked for, with missing values, classes and constant columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from genframe import DataError

from .cells import seems_number
from .columnar import Columnar, is_columnar
from .columns import MOST_CLASSES, SHOWN, Column, TableFile, chosen
from .delimited import Delimited

__all__ = ["Category", "Layout", "Rows", "layout", "opened_table", "read"]

FEW: Final = 20
Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Category:
    """A column of classes, which are the columns from ``start`` on: 1 for the class of the row, else 0."""

    name: str
    start: int
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The names of all columns that a table gives, which of them are of classes, and the classes of its label."""

    names: tuple[str, ...]
    categories: tuple[Category, ...] = ()
    label: str = ""
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The rows of a table (N, D), NaN where a value is to be filled, with the classes of its label (N,).

    ``total`` rows were read and ``dropped`` left out; ``constant`` columns too; ``notes`` say what else was done.
    """

    layout: Layout
    numbers: Numbers
    labels: NDArray[np.int64] | None
    total: int
    dropped: int
    constant: tuple[str, ...]
    notes: tuple[str, ...]


def opened_table(file: TableFile) -> Delimited | Columnar:
    """Return the table, of which no more is read than tells its columns.

    :raises DataError: if it is missing, empty, or if its first row may be a heading or not.
    """
    return Columnar(file) if is_columnar(file.file()) else Delimited(file)


def layout(file: TableFile) -> Layout:
    """Return the columns that a table gives; it is read where they depend on its rows.

    :raises DataError: as :func:`read` does.
    """
    if file.categories or file.label is not None or file.drop_constant:
        path = file.file()
        status = path.stat()
        return _read_layout(replace(file, path=path), status.st_mtime_ns, status.st_size)
    names = opened_table(file).names
    return Layout(tuple(names[place] for place in chosen(file, names)[0]))


@lru_cache(maxsize=8)
def _read_layout(file: TableFile, _time: int, _size: int) -> Layout:
    return read(file).layout


def read(file: TableFile) -> Rows:
    """Return the rows of the columns to take.

    :raises DataError: with every column that is not of numbers, or has missing values that are not to be left out.
    """
    table = opened_table(file)
    places, categories, label = chosen(file, table.names)
    wanted = places if label is None else (*places, label)
    columns = [Column(table.names[place], file.notation, place in categories or place == label) for place in wanted]
    table.fill(wanted, columns)
    total = len(columns[0].values)
    _refuse_bad(file, columns, len(table.names), table.unit)
    _refuse_missing(file, columns, table.unit)
    kept = np.full(total, total > 0)
    for column in columns if file.missing == "drop" and total else ():
        kept &= ~np.isnan(np.frombuffer(column.values, np.float64))
    if not kept.any():
        raise DataError(f"{file.path}: expected a table of numbers, found no row of them")
    values = [np.frombuffer(column.values, np.float64)[kept] for column in columns]
    labels, named = None, Layout(())
    if label is not None:
        named, labels = _label(file, columns.pop(), values.pop())
    found, numbers, constant = _assembled(file, columns, values)
    notes = (*table.notes(), *_truths(columns))
    return Rows(
        replace(found, label=named.label, classes=named.classes), numbers, labels, total, total - len(numbers), constant, notes
    )


def _label(file: TableFile, column: Column, codes: Numbers) -> tuple[Layout, NDArray[np.int64]]:
    """Return the label's name and classes, and the number of each row's class."""
    classes, numbers = _classes(file, column, codes, "label")
    if len(classes) < 2:
        raise DataError(f"{file.path}: expected at least two classes in {column.name}, found {classes[0]!r}; leave 'label' out")
    return Layout((), (), column.name, classes), numbers.astype(np.int64)


def _assembled(
    file: TableFile, columns: Sequence[Column], values: Sequence[Numbers]
) -> tuple[Layout, Numbers, tuple[str, ...]]:
    """Return the columns and their numbers, with a column for each class, and the names of constant columns left out."""
    parts, names, categories, constant = list[Numbers](), list[str](), list[Category](), list[str]()
    for column, numbers in zip(columns, values, strict=True):
        if file.drop_constant and _is_constant(numbers):
            constant.append(column.name)
        elif column.of_classes:
            known, codes = _classes(file, column, numbers, "categories")
            categories.append(Category(column.name, len(names), known))
            names += [f"{column.name}={name}" for name in known]
            parts.append((codes[:, None] == np.arange(len(known))).astype(np.float64))
        else:
            names.append(column.name)
            parts.append(numbers[:, None])
    if not parts:
        raise DataError(f"{file.path}: expected columns that vary, found {', '.join(constant)}, all constant")
    return Layout(tuple(names), tuple(categories)), np.ascontiguousarray(np.concatenate(parts, 1)), tuple(constant)


def _is_constant(numbers: Numbers) -> bool:
    known = numbers[~np.isnan(numbers)]
    return not known.size or bool(known.min() == known.max())


def _classes(file: TableFile, column: Column, codes: Numbers, where: str) -> tuple[tuple[str, ...], Numbers]:
    """Return the classes that occur, sorted, and the number of each row's class."""
    occurring, places = np.unique(codes, return_inverse=True)
    found = list(column.classes)
    present = {found[int(code)] for code in occurring}
    known = tuple(name for name in column.known() if name in present)
    if len(known) > MOST_CLASSES or len(known) == len(codes) > FEW:
        raise DataError(f"{file.path}: expected classes in {column.name}, found {len(known)}; leave it out of '{where}'")
    order = {name: number for number, name in enumerate(known)}
    return known, np.array([order[found[int(code)]] for code in occurring], np.float64)[places]


def _truths(columns: Sequence[Column]) -> tuple[str, ...]:
    listed = ", ".join([column.name for column in columns if column.truths][:SHOWN])
    return (f"read true and false as 1 and 0 in {listed}",) if listed else ()


def _refuse_bad(file: TableFile, columns: Sequence[Column], of: int, unit: str) -> None:
    bad = [column for column in columns if column.bad is not None]
    if not bad:
        return
    notation = file.notation
    cells = {column.name: str(column.bad) for column in bad}
    listed = ", ".join(f"{column.name} ({notation.kind(str(column.bad))} at {unit} {column.bad_at})" for column in bad[:SHOWN])
    hints = list(dict.fromkeys(hint for cell in cells.values() if (hint := notation.hint(cell)) is not None))
    words = [name for name, cell in cells.items() if notation.hint(cell) is None and not seems_number(cell)]
    if words:
        hints.append(f"take words as classes by categories: [{', '.join(words[:SHOWN])}]")
    if len(bad) < of:
        hints.append("choose others by 'columns'")
    raise DataError(f"{file.path}: expected columns of numbers, found {len(bad)} of others: {listed}; {', or '.join(hints)}")


def _refuse_missing(file: TableFile, columns: Sequence[Column], unit: str) -> None:
    refused = [column for column in columns if column.missing and (file.missing == "refuse" or column.of_classes)]
    if not refused or file.missing == "drop":
        return
    listed = ", ".join([f"{column.name} ({column.missing}, first at {unit} {column.missing_at})" for column in refused][:SHOWN])
    if file.missing == "mean":
        raise DataError(f"{file.path}: missing values in {listed}: classes have no mean; leave rows out with missing: drop")
    mean = "" if all(column.of_classes for column in refused) else "fill numbers with missing: mean, "
    raise DataError(
        f"{file.path}: missing values in {listed}; leave their rows out with missing: drop, {mean}or choose others by 'columns'"
    )
