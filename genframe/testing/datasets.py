"""Checks of data sets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import torch
from torch import Tensor

from ..roles.data import Split
from ..roles.random import generator_for
from ..roles.rows import Rows, data_digest, whole
from ..specs.dataset import DatasetSpec
from ..types.values import Batch
from .drawing import departure
from .setting import seeded

__all__ = ["apart", "seeds", "spaces"]

ROWS: Final = 64
LEAK: Final = 0.5


def spaces(spec: DatasetSpec) -> Iterator[str]:
    """What is loaded has the spaces that the spec says without loading, and every batch lies in them."""
    data = spec.load()
    for name, declared, found in (
        ("data", spec.data_space(), data.space),
        ("condition", spec.condition_space(), data.condition_space),
    ):
        if declared != found:
            yield f"the spec declares the {name} as {declared}, what it loads says {found}"
    for split in data.splits.values():
        batch = split.batch(slice(0, ROWS), generator_for("cpu", 0))
        n = min(ROWS, len(split))
        problems = [departure(batch.x, data.space, n)]
        if (batch.condition is None) != (data.condition_space is None):
            problems.append(f"declared the condition {data.condition_space}, found {batch.condition!r:.40}")
        elif batch.condition is not None and data.condition_space is not None:
            problems.append(departure(batch.condition, data.condition_space, n))
        yield from (f"split {split.name!r}: {problem}" for problem in problems if problem)


def seeds(spec: DatasetSpec) -> Iterator[str]:
    """The same spec loads the same data; the same rows and generator give the same batch, in whatever order rows are asked."""
    first, second = spec.load(), spec.load()
    if list(first.splits) != list(second.splits):
        yield f"loaded twice, the splits are {list(first.splits)} and {list(second.splits)}"
        return
    for name, split in first.splits.items():
        again = second.splits[name]
        if data_digest(split.stored, split.condition) != data_digest(again.stored, again.condition):
            yield f"loaded twice, split {name!r} is not the same"
            continue
        batches = [_batch(split, 5, seed).x for seed in (0, 1)]
        if not torch.equal(batches[0], batches[1]):
            yield f"split {name!r} gives two batches for one seed; pass 'generator' on to everything that draws"
        elif torch.equal(batches[0], _batch(split, 6, 0).x) and not _follows(split, batches[0]):
            yield f"split {name!r} gives other rows than were asked for"


def _batch(split: Split, own: int, seed: int) -> Batch:
    with seeded(seed):
        return split.batch(slice(0, ROWS), generator_for("cpu", own))


def _follows(split: Split, rows: Tensor) -> bool:
    """Whether a batch by indices is those rows: known only where preparation draws nothing."""
    order = torch.arange(len(rows) - 1, -1, -1)
    return torch.equal(split.batch(order).x, rows[order])


def apart(spec: DatasetSpec) -> Iterator[str]:
    """No split is empty, and none holds the rows of another."""
    splits = spec.load().splits
    for split in splits.values():
        if not len(split):
            yield f"split {split.name!r} is empty"
        if split.condition is not None and len(split.condition) != len(split):
            yield f"split {split.name!r} has {len(split)} data and {len(split.condition)} conditions"
    for one, other in combinations(splits.values(), 2):
        rows = set(_rows(one.stored))
        shared = [row in rows for row in _rows(other.stored)]
        if _distinct(one) and _distinct(other) and sum(shared) > LEAK * min(len(one), len(other)):
            yield f"{sum(shared)} of the {len(other)} rows of split {other.name!r} are in split {one.name!r} as well"


def _rows(stored: Rows) -> list[bytes]:
    return [row.tobytes() for row in whole(stored).contiguous().numpy()]


def _distinct(split: Split) -> bool:
    """Whether rows differ from each other, so that equal rows in two splits say something."""
    return len(set(_rows(split.stored))) > LEAK * len(split)
