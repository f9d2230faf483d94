"""Samples as rows of a table, with the headings, units and words of the data."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from ..types.errors import RunError, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.run.run import Run

__all__ = ["write_rows"]

UNITS = "table.json"


class _Category(BaseModel):
    """Columns from ``start`` on that stand for the words of one."""

    model_config = ConfigDict(strict=True)

    name: str
    start: int = Field(ge=0)
    classes: list[str] = Field(min_length=1)


class _Units(BaseModel):
    """What a run keeps of its table: its columns with their means and scales, the words of categories, the label's column."""

    model_config = ConfigDict(strict=True)

    columns: list[str]
    mean: list[FiniteFloat]
    scale: list[FiniteFloat]
    categories: list[_Category] = []
    label: str | None = None

    @property
    def fits(self) -> bool:
        """Whether there are as many means and scales as columns, and categories lie within them."""
        width = len(self.columns)
        within = all(category.start + len(category.classes) <= width for category in self.categories)
        return width == len(self.mean) == len(self.scale) and within


def write_rows(path: Path, trained: Run, x: Tensor, condition: Tensor | None = None) -> None:
    """Write vectors (N, D) as CSV: a column each, under the table's names where the run keeps them.

    Columns that stand for the classes of one are written as one, with the word of the largest. ``condition`` (N,) are the
    numbers of classes; they become the label's column where the table has one.

    :raises Unsupported: for samples that are no vectors.
    :raises RunError: if what the run keeps of its table is damaged.
    """
    from ..output.files import write_whole

    if x.ndim != 2:
        raise Unsupported(f"only vectors are rows of a table, found samples of {tuple(x.shape[1:])}; name a .npz or .png file")
    units = _units(trained, x.shape[1])
    columns = _columns(units, x.detach().cpu().double())
    if condition is not None and units is not None and units.label is not None:
        names = trained.class_names()
        columns.append((units.label, [names[number] for number in condition.tolist()]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(cells for _, cells in columns), strict=True))
    write_whole(path, text.getvalue().encode())


def _columns(units: _Units | None, x: Tensor) -> list[tuple[str, list[str]]]:
    """Return the name and cells of each column of the table: (N, D) in the units of the model."""
    if units is None:
        return [(f"x{place}", _cells(x, place)) for place in range(x.shape[1])]
    values = x * x.new_tensor(units.scale) + x.new_tensor(units.mean)
    classes = {category.start: category for category in units.categories}
    columns, place = [], 0
    while place < len(units.columns):
        if place in classes:
            words = classes[place].classes
            largest = values[:, place : place + len(words)].argmax(1).tolist()
            columns.append((classes[place].name, [words[number] for number in largest]))
            place += len(words)
        else:
            columns.append((units.columns[place], _cells(values, place)))
            place += 1
    return columns


def _cells(values: Tensor, place: int) -> list[str]:
    return [f"{value:.9g}" for value in values[:, place].tolist()]


def _units(trained: Run, width: int) -> _Units | None:
    """Return what a run keeps of the table that it learned; ``None`` where it learned none.

    :raises RunError: if that is damaged: numbers in other units than the table's would look right.
    """
    from ..experiment.run.folder import RunFolder

    if trained.folder is None or not (trained.folder / UNITS).exists():
        return None
    try:
        found = _Units.model_validate(RunFolder(trained.folder).read_json(UNITS))
        fits = found.fits and len(found.columns) == width
    except (ValidationError, OverflowError):
        fits = False
    if not fits:
        raise RunError(
            f"{trained.folder / UNITS} does not say the columns of the table and their units; copy the run's folder again, "
            "or name a .npz file, which holds the numbers as the model draws them"
        )
    return found
