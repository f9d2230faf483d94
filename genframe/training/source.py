"""What training reads: rows in an exact order, or whatever a loader gives.

Rows are read in an order that is a function of seed, epoch and position, so that a resumed training continues exactly. A loader
has an order of its own, which nobody can restore; training continues with it, but not bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import torch

from ..roles import Dataset, Split, generator_for
from ..types import Batch, DataError, Space
from .ahead import ReadAhead
from .order import DataOrder
from .reading import Data, ToBatch, as_batch, check_shape, split_of

__all__ = ["LoaderSource", "RowSource", "Source", "source_of"]


class RowSource:
    """Batches of rows, in an order that is drawn for each epoch from the seed; a resumed training reads the same ones."""

    exact = True
    encoded = False
    """Whether batches hold codes in the place of data."""

    def __init__(self, rows: Split, order: DataOrder, workers: int) -> None:
        self.rows, self.order, self.workers = rows, order, workers
        self._ahead = None if rows.in_memory else ReadAhead(rows, order, workers)

    def open(self) -> None:
        """Do what has to be done once before the first batch."""

    def next(self) -> Batch:
        """Return the next batch to learn from."""
        indices = self.order.next()
        return self.rows.training_batch(indices) if self._ahead is None else self._ahead.next()

    def last(self) -> Batch:
        """Return the batch of the last :meth:`next` again, to find out why a step failed."""
        indices = self.order.last()
        return self.rows.training_batch(indices) if self._ahead is None else self._ahead.read(indices, *self.place())

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

    exact = encoded = False

    def __init__(self, loader: Iterable[Any], to_batch: ToBatch, space: Space, device: torch.device) -> None:
        self.loader, self.to_batch, self.space, self.device = loader, to_batch, space, device
        self.epoch = self.position = 0
        self._batches: Iterator[Any] = iter(())
        self._last: Batch | None = None

    def open(self) -> None:
        """Do nothing: a loader begins when it is asked for a batch."""

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


def source_of(
    data: Data,
    space: Space,
    *,
    batch_size: int,
    seed: int,
    device: torch.device,
    to_batch: ToBatch = as_batch,
    place: tuple[int, int] = (0, 0),
    workers: int = 0,
) -> Source:
    """Return the source of ``data``, which is for a model of data in ``space``; rows begin at a ``place`` in their order.

    ``workers`` are the threads that read rows ahead, where they do not lie in memory.

    :raises DataError: if the data cannot be read, has no rows, or is of another shape.
    """
    rows = split_of(data, to_batch)
    if rows is None:
        return LoaderSource(data, to_batch, space, device)
    if not len(rows):
        raise DataError("there is nothing to train on: the data has no rows")
    if not isinstance(data, Dataset):
        check_shape(rows.batch(slice(0, 1)), space)
    rows = rows.to(device)
    order = DataOrder(len(rows), batch_size, seed, device if rows.in_memory else torch.device("cpu"), *place)
    return RowSource(rows, order, workers)


def _joined(batches: Sequence[Batch]) -> Batch:
    first = batches[0]
    condition = None if first.condition is None else torch.cat([batch.condition for batch in batches])
    extras = {name: torch.cat([batch.extras[name] for batch in batches]) for name in first.extras}
    return Batch(torch.cat([batch.x for batch in batches]), condition, extras)
