"""Loading data sets that are made of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from numpy.random import RandomState
from torch import Generator, Tensor

from genframe import Batch, Categorical, Dataset, Space, Split

from .splits import STREAMS

__all__ = ["LabelSplit", "load_labels", "load_stacked"]


class LabelSplit(Split):
    """A split whose data are another one's labels, and whose condition is that one's prepared data.

    It stores what the other one stores.
    """

    def batch(self, indices: Tensor | slice, generator: Generator | None = None) -> Batch:
        """Return the labels at ``indices``, with the prepared data as their condition."""
        return _exchanged(super().batch(indices, generator))

    def training_batch(self, indices: Tensor, generator: Generator | None = None) -> Batch:
        """Return the labels at ``indices``, with the data as a loss is trained on them."""
        return _exchanged(super().training_batch(indices, generator))


def _exchanged(batch: Batch) -> Batch:
    assert batch.condition is not None
    return Batch(batch.condition, batch.x)


def load_labels(data: Dataset, of: str, space: Space) -> Dataset:
    """Exchange data and labels; ``of`` names the data set where its protocol does not."""
    splits: dict[str, Split] = {}
    for name, split in data.splits.items():
        same = {field.name: getattr(split, field.name) for field in fields(split)}
        splits[name] = LabelSplit(**same | {"protocol": _protocol("data/labels", of, split)})
    return Dataset(space, splits, data.space, report=data.report)


def load_stacked(data: Dataset, of: str, *, n: int, held_out: int, seed: int, space: Space, classes: Space | None) -> Dataset:
    """Draw the images that are stacked: ``n`` stacks to train on, ``held_out`` in each other split.

    A split's draws depend on its number of images and the seed alone.
    """
    splits = {
        name: _stacked(split, of, n if name == "train" else held_out, seed, data.condition_space)
        for name, split in data.splits.items()
    }
    return Dataset(space, splits, classes, report=data.report)


def _stacked(split: Split, of: str, count: int, seed: int, classes: object) -> Split:
    stream = RandomState([seed, STREAMS[split.name]])
    drawn = torch.from_numpy(stream.randint(len(split), size=(3, count)))
    stored = torch.cat([split.stored[rows] for rows in drawn], 1)
    labels = None
    if split.condition is not None and isinstance(classes, Categorical):
        first, second, third = split.condition[drawn]
        labels = (first * classes.size + second) * classes.size + third
    stamp = _protocol("data/stacked", of, split, count=count, stacked={"seed": seed})
    return replace(split, stored=stored, condition=labels, protocol=stamp)


def _protocol(source: str, of: str, split: Split, **more: Any) -> Mapping[str, Any]:
    """Return the protocol of a split that was made of ``split``."""
    made_of = split.protocol.get("data", of)
    return {**split.protocol, "data": f"{source} of {made_of}", **more}
