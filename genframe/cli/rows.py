"""Samples as rows of a table, with the headings, units and words of the data."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..types.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.run.run import Run

__all__ = ["write_rows"]


def write_rows(path: Path, trained: Run, x: Tensor, condition: Tensor | None = None) -> None:
    """Write vectors (N, D) as CSV: a column each, under the table's names where the run keeps them.

    Columns that stand for the classes of one are written as one, with the word of the largest. ``condition`` (N,) are the
    numbers of classes; they become the label's column where the table has one.

    :raises Unsupported: for samples that are no vectors.
    """
    from ..output.files import write_whole

    if x.ndim != 2:
        raise Unsupported(f"only vectors are rows of a table, found samples of {tuple(x.shape[1:])}; name a .npz or .png file")
    units = _units(trained, x.shape[1])
    columns = _columns(units, x.detach().cpu().double())
    if condition is not None and isinstance(units.get("label"), str):
        names = trained.class_names()
        columns.append((units["label"], [names[number] for number in condition.tolist()]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(cells for _, cells in columns), strict=True))
    write_whole(path, text.getvalue().encode())


def _columns(units: dict[str, Any], x: Tensor) -> list[tuple[str, list[str]]]:
    """Return the name and cells of each column of the table: (N, D) in the units of the model."""
    values = x * x.new_tensor(units["scale"]) + x.new_tensor(units["mean"]) if units else x
    names = units["columns"] if units else [f"x{number}" for number in range(x.shape[1])]
    classes = {category["start"]: category for category in units.get("categories", ())}
    columns, place = [], 0
    while place < len(names):
        if place in classes:
            words = classes[place]["classes"]
            largest = values[:, place : place + len(words)].argmax(1).tolist()
            columns.append((classes[place]["name"], [words[number] for number in largest]))
            place += len(words)
        else:
            columns.append((names[place], [f"{value:.9g}" for value in values[:, place].tolist()]))
            place += 1
    return columns


def _units(trained: Run, width: int) -> dict[str, Any]:
    """Return the columns, means, scales and classes of the table that a run learned; nothing where it keeps none that fit."""
    from ..experiment.run.folder import RunFolder

    found = RunFolder(trained.folder).read_json("table.json") if trained.folder is not None else None
    if not isinstance(found, dict):
        return {}
    lists = [found.get(name) for name in ("columns", "mean", "scale")]
    if not all(isinstance(values, list) and len(values) == width for values in lists):
        return {}
    numbers = all(isinstance(value, int | float) for name in ("mean", "scale") for value in found[name])
    categories = found.get("categories", [])
    fits = isinstance(categories, list) and all(_is_category(category, width) for category in categories)
    return found if numbers and fits and all(isinstance(name, str) for name in found["columns"]) else {}


def _is_category(found: Any, width: int) -> bool:
    """Return whether this is the name of a column, its words and where the columns start that stand for them."""
    if not isinstance(found, dict) or not isinstance(found.get("name"), str) or type(found.get("start")) is not int:
        return False
    words = found.get("classes")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return False
    return bool(0 <= found["start"] <= width - len(words))
