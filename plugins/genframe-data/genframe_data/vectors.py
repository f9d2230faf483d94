"""Loading vectors: points of a distribution in the plane, and tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from genframe import Categorical, DataError, Dataset, Real, data_digest
from genframe.roles import whole
from genframe.types import Report

from .bases import SplitBy
from .prepare import Jittered
from .splits import Part, divided, plain_dataset
from .tables import TableFile, read
from .toys import TOYS, draw

__all__ = ["load_table", "load_toy", "report"]

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
    drop_constant: bool,
    validation: float,
    test: float,
    by: SplitBy,
    seed: int,
    limit: int | None,
) -> Dataset:
    """Read the table and standardise it.

    :raises DataError: if it is not a table of numbers, or columns that are to be standardised are constant.
    """
    found = read(file)
    rows = torch.from_numpy(np.frombuffer(found.numbers, np.float64).reshape(-1, len(found.names)).copy())
    names, constant = found.names, tuple[str, ...]()
    if drop_constant:
        rows, names, constant = _varying(rows, names, file.path)
    parts = divided(Part(rows), validation, test, by=by, seed=seed, limit=limit)
    protocol: dict[str, Any] = {"data": f"data/table@{data_digest(rows)}", "seed": seed}
    if found.dropped:
        protocol["rows"] = {"taken": len(rows), "with missing values": found.dropped}
    space = Real((len(names),))
    mean, scale = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
    if standardise:
        mean, scale = _moments(whole(parts["train"].x), file.path, names)
        protocol["standardisation"] = {"mean": mean.tolist(), "scale": scale.tolist()}
    standard = {name: Part(((whole(part.x) - mean) / scale).float()) for name, part in parts.items()}
    prepare = None
    if dequantise:
        steps = _steps(whole(parts["train"].x))
        protocol["dequantisation"] = {"uniform": steps.tolist()}
        prepare = Jittered(tuple((steps / scale).tolist()))
    units = {"columns": names, "mean": mean.tolist(), "scale": scale.tolist()}
    told = report(found.total, found.dropped, names, constant)
    return replace(plain_dataset(standard, space, None, protocol, prepare), files={UNITS: json.dumps(units)}, report=told)


def _varying(rows: Tensor, names: tuple[str, ...], path: Path) -> tuple[Tensor, tuple[str, ...], tuple[str, ...]]:
    """Return the columns that vary, their names and those of the others."""
    varies = (rows.amax(0) > rows.amin(0)).tolist()
    if not any(varies):
        raise DataError(f"{path}: expected columns that vary, found {', '.join(names)}, all constant")
    kept = [place for place, varied in enumerate(varies) if varied]
    constant = tuple(name for name, varied in zip(names, varies, strict=True) if not varied)
    return rows[:, kept].clone(), tuple(names[place] for place in kept), constant


def report(total: int, dropped: int, names: tuple[str, ...], constant: tuple[str, ...]) -> Report:
    """Return how many rows and columns a table gives, and what is left out."""
    notes = (*([f"left out {dropped} rows with missing values"] if dropped else []),)
    notes += (f"left out constant columns: {', '.join(constant)}",) if constant else ()
    return Report(f"{total - dropped} rows of {len(names)} columns", notes=notes)


def _steps(rows: Tensor) -> Tensor:
    """Return the least difference between two values of each column, 0 where there is one value: (N, D) -> (D,)."""
    differences = rows.sort(0).values.diff(dim=0)
    least = torch.where(differences > 0, differences, torch.inf).amin(0)
    return least.nan_to_num(posinf=0.0)


def _moments(train: Tensor, path: Path, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column: (N, D) -> (D,), (D,)."""
    constant = [names[place] for place in (train.amax(0) == train.amin(0)).nonzero().flatten().tolist()]
    if constant:
        what = f"column {constant[0]} is" if len(constant) == 1 else f"columns {', '.join(constant)} are"
        raise DataError(
            f"{path}: {what} constant; say drop_constant: true, choose others by 'columns' or set standardise: false"
        )
    scale, mean = torch.std_mean(train, 0, correction=0)
    return mean, scale
