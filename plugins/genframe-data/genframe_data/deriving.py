"""Loading data sets that are made of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from numpy.random import RandomState
from torch import Generator, Tensor

from genframe import Batch, Categorical, Dataset, Split

from .derived import Labels, Stacked
from .splits import STREAMS

__all__ = ["LabelSplit", "load_labels", "load_stacked"]


class LabelSplit(Split):
    """A split whose data are another one's labels, and whose condition is that one's prepared data.

    It stores what the other one stores.
    """

    def batch(self, indices: Tensor | slice, generator: Generator | None = None) -> Batch:
        """Return the labels at ``indices``, with the prepared data as their condition."""
        return _exchanged(super().batch(indices, generator))

    def training_batch(self, indices: Tensor) -> Batch:
        """Return the labels at ``indices``, with the data as a loss is trained on them."""
        return _exchanged(super().training_batch(indices))


def _exchanged(batch: Batch) -> Batch:
    assert batch.condition is not None
    return Batch(batch.condition, batch.x)


def load_labels(spec: Labels) -> Dataset:
    """Load the data set and exchange data and labels."""
    data = spec.of.load()
    splits: dict[str, Split] = {}
    for name, split in data.splits.items():
        same = {field.name: getattr(split, field.name) for field in fields(split)}
        splits[name] = LabelSplit(**same | {"protocol": _protocol(spec, split)})
    return Dataset(spec.data_space(), splits, data.space)


def load_stacked(spec: Stacked) -> Dataset:
    """Load the images and draw those that are stacked.

    A split's draws depend on its number of images and the seed alone.
    """
    data = spec.of.load()
    splits = {name: _stacked(spec, split, data.condition_space) for name, split in data.splits.items()}
    return Dataset(spec.data_space(), splits, spec.condition_space())


def _stacked(spec: Stacked, split: Split, classes: object) -> Split:
    count = spec.n if split.name == "train" else spec.held_out
    stream = RandomState([spec.seed, STREAMS[split.name]])
    drawn = torch.from_numpy(stream.randint(len(split), size=(3, count)))
    stored = torch.cat([split.stored[rows] for rows in drawn], 1)
    labels = None
    if split.condition is not None and isinstance(classes, Categorical):
        first, second, third = split.condition[drawn]
        labels = (first * classes.size + second) * classes.size + third
    stamp = _protocol(spec, split, count=count, stacked={"seed": spec.seed})
    return replace(split, stored=stored, condition=labels, protocol=stamp)


def _protocol(spec: Labels | Stacked, split: Split, **more: Any) -> Mapping[str, Any]:
    """Return the protocol of a split that was made of ``split``."""
    made_of = split.protocol.get("data", spec.of.type)
    return {**split.protocol, "data": f"{spec.type} of {made_of}", **more}
