"""Loading vectors: points of a distribution in the plane, and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from genframe import DataError, Dataset, data_digest

from .files import existing_file
from .prepare import Jittered
from .specs import Table, Toy
from .splits import Part, divided, plain_dataset
from .tables import read
from .toys import TOYS, draw

__all__ = ["load_table", "load_toy"]


def load_toy(spec: Toy) -> Dataset:
    """Draw the points; splits are cut as blocks, for the points are independent."""
    points, classes = draw(TOYS[spec.name], spec.n, spec.noise, spec.seed)
    x = torch.from_numpy(points).float()
    part = Part(x, torch.from_numpy(classes) if spec.labels else None)
    parts = divided(part, spec.validation, spec.test, by="block", seed=spec.seed, limit=spec.limit)
    protocol = {"data": f"{spec.type}@{data_digest(x)}", "seed": spec.seed}
    return plain_dataset(parts, spec.data_space(), spec.condition_space(), protocol)


def load_table(spec: Table) -> Dataset:
    """Read the table and standardise it.

    :raises DataError: if it is not a table of numbers, or a column that is to be standardised is constant.
    """
    numbers, width = read(existing_file(spec.path, "give a table of numbers as 'path'"))
    rows = torch.from_numpy(np.frombuffer(numbers, np.float64).reshape(-1, width)[:, list(spec.chosen(width))].copy())
    parts = divided(Part(rows), spec.validation, spec.test, by=spec.split, seed=spec.seed, limit=spec.limit)
    protocol: dict[str, Any] = {"data": f"{spec.type}@{data_digest(rows)}", "seed": spec.seed}
    mean, scale = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
    if spec.standardise:
        mean, scale = _moments(parts["train"].x, spec)
        protocol["standardisation"] = {"mean": mean.tolist(), "scale": scale.tolist()}
    standard = {name: Part(((part.x - mean) / scale).float()) for name, part in parts.items()}
    if not spec.dequantise:
        return plain_dataset(standard, spec.data_space(), None, protocol)
    steps = _steps(parts["train"].x)
    protocol["dequantisation"] = {"uniform": steps.tolist()}
    return plain_dataset(standard, spec.data_space(), None, protocol, Jittered(tuple((steps / scale).tolist())))


def _steps(rows: Tensor) -> Tensor:
    """Return the least difference between two values of each column, 0 where there is one value: (N, D) -> (D,)."""
    differences = rows.sort(0).values.diff(dim=0)
    least = torch.where(differences > 0, differences, torch.inf).amin(0)
    return least.nan_to_num(posinf=0.0)


def _moments(train: Tensor, spec: Table) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each column: (N, D) -> (D,), (D,)."""
    constant = (train.amax(0) == train.amin(0)).nonzero().flatten().tolist()
    if constant:
        column = (spec.columns or range(train.shape[1]))[constant[0]]
        raise DataError(f"{spec.path}: column {column} is constant; choose others by 'columns' or set standardise: false")
    scale, mean = torch.std_mean(train, 0, correction=0)
    return mean, scale
