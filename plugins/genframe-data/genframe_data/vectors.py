"""Loading vectors: points of a distribution in the plane, and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genframe import Categorical, DataError, Dataset, Real, data_digest

from .bases import SplitBy
from .files import existing_file
from .prepare import Jittered
from .splits import Part, divided, plain_dataset
from .tables import chosen, read
from .toys import TOYS, draw

__all__ = ["load_table", "load_toy"]


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
    path: Path,
    columns: tuple[int, ...] | None,
    *,
    standardise: bool,
    dequantise: bool,
    validation: float,
    test: float,
    by: SplitBy,
    seed: int,
    limit: int | None,
) -> Dataset:
    """Read the table and standardise it.

    :raises DataError: if it is not a table of numbers, or a column that is to be standardised is constant.
    """
    numbers, width = read(existing_file(path, "give a table of numbers as 'path'"))
    taken = chosen(path, columns, width)
    rows = torch.from_numpy(np.frombuffer(numbers, np.float64).reshape(-1, width)[:, list(taken)].copy())
    parts = divided(Part(rows), validation, test, by=by, seed=seed, limit=limit)
    protocol: dict[str, Any] = {"data": f"data/table@{data_digest(rows)}", "seed": seed}
    space = Real((len(taken),))
    mean, scale = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
    if standardise:
        mean, scale = _moments(parts["train"].x, path, taken)
        protocol["standardisation"] = {"mean": mean.tolist(), "scale": scale.tolist()}
    standard = {name: Part(((part.x - mean) / scale).float()) for name, part in parts.items()}
    if not dequantise:
        return plain_dataset(standard, space, None, protocol)
    steps = _steps(parts["train"].x)
    protocol["dequantisation"] = {"uniform": steps.tolist()}
    return plain_dataset(standard, space, None, protocol, Jittered(tuple((steps / scale).tolist())))


def _steps(rows: Tensor) -> Tensor:
    """Return the least difference between two values of each column, 0 where there is one value: (N, D) -> (D,)."""
    differences = rows.sort(0).values.diff(dim=0)
    least = torch.where(differences > 0, differences, torch.inf).amin(0)
    return least.nan_to_num(posinf=0.0)


def _moments(train: Tensor, path: Path, columns: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column: (N, D) -> (D,), (D,)."""
    constant = (train.amax(0) == train.amin(0)).nonzero().flatten().tolist()
    if constant:
        column = columns[constant[0]]
        raise DataError(f"{path}: column {column} is constant; choose others by 'columns' or set standardise: false")
    scale, mean = torch.std_mean(train, 0, correction=0)
    return mean, scale
