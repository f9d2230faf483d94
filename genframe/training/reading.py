"""What users hand in to train on, as rows: datasets, tensors, torch datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ..roles import Dataset, JointRows, Split
from ..types import Batch, DataError, Space, format_shape

__all__ = ["Data", "ToBatch", "as_batch", "as_dataset", "check_shape", "split_of"]

Data: TypeAlias = Any
"""A genframe dataset or split, a tensor, a tuple ``(x, condition)``, a dict of tensors with ``x``, a map-style dataset such as
those of torch and Hugging Face, or an iterable of batches such as a ``DataLoader``."""

ToBatch: TypeAlias = Callable[[Any], Batch]

SPLITS = ("train", "validation", "test")


def as_batch(item: Any) -> Batch:
    """Return what a loader yields as a batch: a tensor, ``(x,)``, ``(x, condition)``, or a dict with ``x`` and ``condition``.

    :raises DataError: if it is none of these.
    """
    match item:
        case Batch():
            return item
        case Tensor():
            return Batch(item)
        case [Tensor() as x]:
            return Batch(x)
        case [Tensor() as x, condition]:
            return Batch(x, condition)
        case Mapping() if "x" in item:
            extras = {name: tensor for name, tensor in item.items() if name not in ("x", "condition")}
            return Batch(item["x"], item.get("condition"), extras)
    found = f"a mapping with {', '.join(map(str, item))}" if isinstance(item, Mapping) else type(item).__name__
    raise DataError(
        f"expected batches that are a tensor, (x, condition) or a dict with 'x', found {found}; "
        "say by batch= how one becomes a genframe.Batch"
    )


def split_of(data: Data, to_batch: ToBatch = as_batch, name: str = "train") -> Split | None:
    """Return ``data`` as a split whose examples can be read in any order; ``None`` where it is an iterable of batches.

    :raises DataError: if it is an iterable of single examples, or nothing that can be read.
    """
    match data:
        case Dataset():
            return data.split(name)
        case Split():
            return data
        case DataLoader():
            return None
        case IterableDataset():
            raise DataError(
                "an IterableDataset yields single examples, in an order that cannot be restored; give it in a DataLoader, "
                "which makes batches of them, or write its examples to files that can be read in any order"
            )
        case Tensor() | Mapping() | tuple():  # a list is a list of batches
            batch = to_batch(data)
            return Split(name, batch.x, batch.condition, extras=batch.extras)
    if not isinstance(data, list) and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return _joint(data, to_batch, name)
    if isinstance(data, Iterable):
        return None
    raise DataError(f"expected a dataset, tensors, or an iterable of batches to train on, found {type(data).__name__}")


def _joint(data: Any, to_batch: ToBatch, name: str) -> Split:
    """Return a map-style dataset as a split."""
    if not len(data):
        raise DataError(f"the split {name!r} has no rows")
    joint = JointRows(data, to_batch)
    first = joint.first()
    condition = joint.field("condition") if first.condition is not None else None
    return Split(name, joint.field("x"), condition, extras={extra: joint.field(extra) for extra in first.extras})


def as_dataset(data: Data, space: Space, condition: Space | None, to_batch: ToBatch = as_batch) -> Dataset:
    """Return what stands in for an experiment's dataset: a dataset, the rows of the split ``train``, or a dict of splits.

    :raises DataError: if it cannot be read in any order, or its examples have another shape than the model's.
    """
    if isinstance(data, Dataset):
        return data
    named = {name: data[name] for name in SPLITS if name in data} if isinstance(data, Mapping) and "train" in data else {}
    splits: dict[str, Split] = {}
    for name, rows in (named or {"train": data}).items():
        split = split_of(rows, to_batch, name)
        if split is None:
            raise DataError(
                "a run needs data that can be read in any order, so that it can be resumed exactly; "
                "give the dataset of the DataLoader (loader.dataset), or use genframe.fit"
            )
        check_shape(split.batch(slice(0, 1)), space)
        splits[name] = split
    return Dataset(space, splits, condition)


def check_shape(batch: Batch, space: Space) -> None:
    """Check that examples have the shape of the model's data.

    :raises DataError: otherwise.
    """
    if batch.x.shape[1:] != space.shape:
        raise DataError(f"the model is for {space}, found examples of {format_shape(tuple(batch.x.shape[1:]))}")
