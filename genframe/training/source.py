"""What training reads: rows in an exact order, or whatever a loader gives.

Rows are read in an order that is a function of seed, epoch and position, so that a resumed training continues exactly. A loader
has an order of its own, which nobody can restore; training continues with it, but not bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, default_collate
from torch.utils.data import Dataset as TorchDataset

from ..roles import Dataset, Split, generator_for
from ..types import Batch, DataError, Space, format_shape
from .order import DataOrder

__all__ = ["Data", "LoaderSource", "RowSource", "Source", "as_batch", "rows_of", "source_of"]

Data: TypeAlias = Any
"""A genframe dataset or split, a tensor, a tuple ``(x, condition)``, a dict of tensors with ``x``, a torch dataset, or an
iterable of batches such as a ``DataLoader``."""

ToBatch: TypeAlias = Callable[[Any], Batch]


class MapRows:
    """The examples of a torch dataset, read by index."""

    def __init__(self, dataset: TorchDataset[Any], to_batch: ToBatch, device: torch.device) -> None:
        self.dataset, self.to_batch, self.device = cast("Sequence[Any]", dataset), to_batch, device

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, indices: Tensor | slice) -> Batch:
        """Return the examples at ``indices``, stacked."""
        numbers = range(len(self))[indices] if isinstance(indices, slice) else indices.tolist()
        return self.to_batch(default_collate([self.dataset[number] for number in numbers])).to(self.device)

    training_batch = batch

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all examples in order."""
        return (self.batch(slice(start, start + size)) for start in range(0, len(self), size))


Rows: TypeAlias = Split | MapRows
"""Rows that can be read in any order."""


class RowSource:
    """Batches of rows, in an order that is drawn for each epoch from the seed; a resumed training reads the same ones."""

    exact = True

    def __init__(self, rows: Rows, order: DataOrder) -> None:
        self.rows, self.order = rows, order

    def next(self) -> Batch:
        """Return the next batch to learn from."""
        return self.rows.training_batch(self.order.next())

    def last(self) -> Batch:
        """Return the batch of the last :meth:`next` again, to find out why a step failed."""
        return self.rows.training_batch(self.order.last())

    def first(self, n: int, seed: int) -> Batch:
        """Return ``n`` rows, or all if there are fewer, chosen by ``seed``: parts take their first state from them."""
        chosen = torch.randperm(len(self.rows), generator=generator_for("cpu", seed))[:n]
        return self.rows.batch(chosen.to(self.order.device))

    def each(self, size: int) -> Iterator[Batch]:
        """Yield all rows once, in batches of up to ``size``."""
        return self.rows.batches(size)

    def place(self) -> tuple[int, int]:
        """Return the epoch, and the position of the next batch in it."""
        return self.order.epoch, self.order.position


class LoaderSource:
    """The batches of a loader, again from its start when it ends; a resumed training reads others."""

    exact = False

    def __init__(self, loader: Iterable[Any], to_batch: ToBatch, space: Space, device: torch.device) -> None:
        self.loader, self.to_batch, self.space, self.device = loader, to_batch, space, device
        self.epoch = self.position = 0
        self._batches: Iterator[Any] = iter(())
        self._last: Batch | None = None

    def next(self) -> Batch:
        """Return the loader's next batch.

        :raises DataError: if it has none, or one of another shape than the model's data.
        """
        item = next(self._batches, None)
        if item is None:
            self.epoch, self.position = self.epoch + bool(self._last is not None), 0
            self._batches = iter(self.loader)
            item = next(self._batches, None)
        if item is None:
            raise DataError("the loader has no batch, or it is an iterator that has ended; give one that can be read again")
        self.position += 1
        self._last = self._read(item)
        return self._last

    def last(self) -> Batch:
        """Return the last batch again."""
        return self._last if self._last is not None else self.next()

    def first(self, n: int, seed: int) -> Batch:
        """Return the rows of the first batches up to ``n``, in the loader's order, whatever the seed."""
        read, rows = [], 0
        for batch in self.each(n):
            read.append(batch.map(lambda tensor, left=n - rows: tensor[:left]))  # type: ignore[misc]
            rows += len(read[-1])
            if rows >= n:
                break
        return _joined(read)

    def each(self, size: int) -> Iterator[Batch]:
        """Yield the loader's batches once; their size is the loader's own."""
        return map(self._read, self.loader)

    def place(self) -> tuple[int, int]:
        """Return epoch and position."""
        return self.epoch, self.position

    def _read(self, item: Any) -> Batch:
        batch = self.to_batch(item).to(self.device)
        check_shape(batch, self.space)
        return batch


Source: TypeAlias = RowSource | LoaderSource
"""What the training loop reads."""


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


def rows_of(data: Data, device: torch.device, to_batch: ToBatch = as_batch) -> Rows | None:
    """Return the rows of ``data`` that can be read by index, on ``device``; ``None`` where it is an iterable of batches.

    :raises DataError: if it is an iterable of single examples, or nothing that can be read.
    """
    match data:
        case Dataset():
            return data.split("train").to(device)
        case Split():
            return data.to(device)
        case DataLoader():
            return None
        case IterableDataset():
            raise DataError("an IterableDataset yields single examples; give it in a DataLoader, which makes batches of them")
        case TorchDataset():
            return MapRows(data, to_batch, device)
        case Tensor() | Mapping() | tuple():  # a list is a list of batches
            batch = to_batch(data)
            return Split("train", batch.x, batch.condition, extras=batch.extras).to(device)
        case Iterable():
            return None
    raise DataError(f"expected a dataset, tensors, or an iterable of batches to train on, found {type(data).__name__}")


def source_of(
    data: Data,
    space: Space,
    *,
    batch_size: int,
    seed: int,
    device: torch.device,
    to_batch: ToBatch = as_batch,
    place: tuple[int, int] = (0, 0),
) -> Source:
    """Return the source of ``data``, which is for a model of data in ``space``; rows begin at a ``place`` in their order.

    :raises DataError: if the data cannot be read, has no rows, or is of another shape.
    """
    rows = rows_of(data, device, to_batch)
    if rows is None:
        return LoaderSource(data, to_batch, space, device)
    if not len(rows):
        raise DataError("there is nothing to train on: the data has no rows")
    if not isinstance(data, Dataset):
        check_shape(rows.batch(slice(0, 1)), space)
    return RowSource(rows, DataOrder(len(rows), batch_size, seed, device, *place))


def check_shape(batch: Batch, space: Space) -> None:
    """Check that examples have the shape of the model's data.

    :raises DataError: otherwise.
    """
    if batch.x.shape[1:] != space.shape:
        raise DataError(f"the model is for {space}, found examples of {format_shape(tuple(batch.x.shape[1:]))}")


def _joined(batches: Sequence[Batch]) -> Batch:
    first = batches[0]
    condition = None if first.condition is None else torch.cat([batch.condition for batch in batches])
    extras = {name: torch.cat([batch.extras[name] for batch in batches]) for name in first.extras}
    return Batch(torch.cat([batch.x for batch in batches]), condition, extras)
