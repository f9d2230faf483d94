"""Loading vectors: points of a distribution in the plane, and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from genframe import Categorical, DataError, Dataset, Real, data_digest
from genframe.roles import whole
from genframe.types import Report

from .bases import SplitBy
from .columns import TableFile
from .prepare import Jittered
from .splits import Part, divided, plain_dataset
from .tables import Layout, Rows, read
from .toys import TOYS, draw

__all__ = ["filled_by_mean", "load_table", "load_toy", "report"]

UNITS: Final = "table.json"


def load_toy(
    name: str, n: int, noise: float | None, *, labels: bool, validation: float, test: float, seed: int, limit: int | None
) -> Dataset:
    """Draw the points; splits are cut as blocks, for the points are independent."""
    points, classes = draw(TOYS[name], n, noise, seed)
    x = torch.from_numpy(points).float()
    part = Part(x, torch.from_numpy(classes) if labels else None)
    parts = divided(part, validation, test, by="block", seed=seed, limit=limit)
    protocol = {"data": f"data/toy@{data_digest(x)}", "seed": seed}
    return plain_dataset(parts, Real((2,)), Categorical((), TOYS[name].classes) if labels else None, protocol)


def load_table(
    file: TableFile,
    *,
    standardise: bool,
    dequantise: bool,
    validation: float,
    test: float,
    by: SplitBy,
    seed: int,
    limit: int | None,
) -> Dataset:
    """Read the table, fill what is missing and standardise it.

    :raises DataError: if it is not a table of numbers, or columns that are to be standardised are constant.
    """
    found = read(file)
    names = found.layout.names
    rows = torch.from_numpy(found.numbers)
    labels = None if found.labels is None else torch.from_numpy(found.labels)
    parts = divided(Part(rows, labels), validation, test, by=by, seed=seed, limit=limit)
    protocol: dict[str, Any] = {"data": f"data/table@{data_digest(rows)}", "seed": seed}
    if found.dropped:
        protocol["rows"] = {"taken": len(rows), "with missing values": found.dropped}
    filled = dict[str, int]()
    if file.missing == "mean":
        parts, filled = filled_by_mean(parts, names, file.path)
    if filled:
        protocol["missing"] = {"filled by the training rows' mean": filled}
    mean, scale = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
    if standardise:
        mean, scale = _moments(whole(parts["train"].x), file.path, found.layout)
        protocol["standardisation"] = {"mean": mean.tolist(), "scale": scale.tolist()}
    standard = {name: Part(((whole(part.x) - mean) / scale).float(), part.labels) for name, part in parts.items()}
    prepare = None
    if dequantise:
        steps = _steps(whole(parts["train"].x))
        protocol["dequantisation"] = {"uniform": steps.tolist()}
        prepare = Jittered(tuple((steps / scale).tolist()))
    classes = found.layout.classes
    condition = Categorical((), len(classes)) if classes else None
    data = plain_dataset(standard, Real((len(names),)), condition, protocol, prepare)
    units = _units(file, found.layout, mean.tolist(), scale.tolist())
    return replace(data, files={UNITS: json.dumps(units)}, report=report(found, filled), classes=classes)


def _units(file: TableFile, layout: Layout, mean: list[float], scale: list[float]) -> dict[str, Any]:
    """Return what takes samples back to the table: names, units, and the columns that are classes."""
    units: dict[str, Any] = {"columns": layout.names, "mean": mean, "scale": scale}
    if layout.categories:
        units["categories"] = [asdict(category) for category in layout.categories]
    if file.label is not None:
        units["label"] = layout.label
    return units


def report(found: Rows, filled: Mapping[str, int]) -> Report:
    """Return how many rows and columns a table gives, what is left out, and what was done to the rest."""
    layout = found.layout
    columns = len(layout.names) - sum(len(category.classes) - 1 for category in layout.categories)
    notes = [f"left out {found.dropped} rows with missing values"] if found.dropped else []
    if filled:
        each = ", ".join(f"{count} of {name}" for name, count in filled.items())
        notes.append(f"filled {sum(filled.values())} missing values by the training rows' mean: {each}")
    if found.constant:
        notes.append(f"left out constant columns: {', '.join(found.constant)}")
    of = f", in {len(layout.classes)} classes of {layout.label}" if layout.classes else ""
    return Report(f"{len(found.numbers)} rows of {columns} columns{of}", notes=(*notes, *found.notes))


def filled_by_mean(parts: Mapping[str, Part], names: Sequence[str], path: Path) -> tuple[dict[str, Part], dict[str, int]]:
    """Return the splits with each missing value (NaN) as its column's mean over the training rows, and how many there were.

    :raises DataError: if a column has no value in the training rows.
    """
    values = {name: whole(part.x) for name, part in parts.items()}
    mean = values["train"].nanmean(0)
    empty = [names[place] for place in mean.isnan().nonzero().flatten().tolist()]
    if empty:
        raise DataError(f"{path}: no training row has a value of {', '.join(empty)}; choose others by 'columns'")
    counts = sum(x.isnan().sum(0) for x in values.values())
    filled = {name: replace(part, x=torch.where(values[name].isnan(), mean, values[name])) for name, part in parts.items()}
    return filled, {name: count for name, count in zip(names, torch.as_tensor(counts).tolist(), strict=True) if count}


def _steps(rows: Tensor) -> Tensor:
    """Return the least difference between two values of each column, 0 where there is one value: (N, D) -> (D,)."""
    differences = rows.sort(0).values.diff(dim=0)
    least = torch.where(differences > 0, differences, torch.inf).amin(0)
    return least.nan_to_num(posinf=0.0)


def _moments(train: Tensor, path: Path, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column: (N, D) -> (D,), (D,); 1 for a class without training rows."""
    of_classes = {category.start + number for category in layout.categories for number in range(len(category.classes))}
    flat: list[int] = (train.amax(0) == train.amin(0)).nonzero().flatten().tolist()
    constant = [layout.names[place] for place in flat if place not in of_classes]
    if constant:
        what = f"column {constant[0]} is" if len(constant) == 1 else f"columns {', '.join(constant)} are"
        raise DataError(
            f"{path}: {what} constant; say drop_constant: true, choose others by 'columns' or set standardise: false"
        )
    scale, mean = torch.std_mean(train, 0, correction=0)
    scale[flat] = 1.0
    return mean, scale
