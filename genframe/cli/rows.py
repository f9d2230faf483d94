"""Samples as rows of a table, with the headings and in the units of the data."""

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


def write_rows(path: Path, trained: Run, x: Tensor) -> None:
    """Write vectors (N, D) as CSV: a column each, under the table's names where the run keeps them.

    :raises Unsupported: for samples that are no vectors.
    """
    from ..output.files import write_whole

    if x.ndim != 2:
        raise Unsupported(f"only vectors are rows of a table, found samples of {tuple(x.shape[1:])}; name a .npz or .png file")
    names, values = _units(trained, x.shape[1]), x.detach().cpu().double()
    if names is None:
        heading = [f"x{number}" for number in range(x.shape[1])]
    else:
        heading = names["columns"]
        values = values * values.new_tensor(names["scale"]) + values.new_tensor(names["mean"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows([f"{value:.9g}" for value in row] for row in values.tolist())
    write_whole(path, text.getvalue().encode())


def _units(trained: Run, width: int) -> dict[str, Any] | None:
    """Return the columns, means and scales of the table that a run learned; ``None`` where it keeps none that fit."""
    from ..experiment.run.folder import RunFolder

    found = RunFolder(trained.folder).read_json("table.json") if trained.folder is not None else None
    if not isinstance(found, dict):
        return None
    lists = [found.get(name) for name in ("columns", "mean", "scale")]
    if not all(isinstance(values, list) and len(values) == width for values in lists):
        return None
    numbers = all(isinstance(value, int | float) for name in ("mean", "scale") for value in found[name])
    return found if numbers and all(isinstance(name, str) for name in found["columns"]) else None
