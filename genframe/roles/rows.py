"""Rows: anything with a length, the shape of a row, and a batch of rows by their indices. A tensor is one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate

from ..types import Batch

__all__ = ["ArrayRows", "JointRows", "Rows", "Selected", "data_digest", "read_rows", "select", "whole"]

AT_ONCE: Final = 256
"""How many rows are read together where all of them are read once."""


class Rows(Protocol):
    """Rows that are read by index, wherever they lie; ``shape`` is (N, ...). Reading from several threads at once is safe."""

    @property
    def shape(self) -> Sequence[int]:
        """The number of rows, then the shape of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        """Return the rows at ``indices`` (B,) int64: (B, ...)."""


@dataclass(frozen=True)
class Selected:
    """Some rows of others, in the order of ``indices`` (N,) int64; nothing is read before it is asked for.

    >>> Selected(torch.tensor([[10.0], [20.0], [30.0]]), torch.tensor([2, 0]))[torch.tensor([0])]
    tensor([[30.]])
    """

    rows: Rows
    indices: Tensor

    @property
    def shape(self) -> Sequence[int]:
        """The number of rows, then the shape of one."""
        return (len(self.indices), *self.rows.shape[1:])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        return self.rows[self.indices[indices]]


@dataclass(frozen=True)
class ArrayRows:
    """The rows of a numpy array, such as one that is mapped into memory from a file: ``np.load(path, mmap_mode="r")``.

    >>> ArrayRows(np.arange(6, dtype=np.uint8).reshape(3, 2))[torch.tensor([2, 0])]
    tensor([[4, 5],
            [0, 1]], dtype=torch.uint8)
    """

    array: NDArray[Any]

    @property
    def shape(self) -> Sequence[int]:
        """The number of rows, then the shape of one."""
        return self.array.shape

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.array[indices.numpy()]))


class JointRows:
    """The examples of a map-style dataset, which gives data and condition together; ``to_batch`` tells them apart.

    Any class with ``__len__`` and ``__getitem__`` will do, such as a torch ``Dataset`` or one of Hugging Face's ``datasets``.
    Where it has ``__getitems__``, a batch is one call. Each field is rows of its own; the last batch that a thread read is
    kept, so that an example is read once for all its fields.
    """

    def __init__(self, dataset: Any, to_batch: Callable[[Any], Batch]) -> None:
        self.dataset, self.to_batch = dataset, to_batch
        self._kept = threading.local()

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, indices: Tensor) -> Batch:
        """Return the examples at ``indices``, stacked."""
        kept: tuple[Tensor, Batch] | None = getattr(self._kept, "last", None)
        if kept is None or kept[0] is not indices:
            kept = self._kept.last = (indices, self.to_batch(default_collate(self._read(indices.tolist()))))
        return kept[1]

    def _read(self, numbers: list[int]) -> list[Any]:
        if hasattr(self.dataset, "__getitems__"):
            return list(self.dataset.__getitems__(numbers))
        return [self.dataset[number] for number in numbers]

    def field(self, name: str) -> Rows:
        """Return one field as rows: ``x``, ``condition``, or the name of anything else that the dataset gives."""
        return _Field(self, name)

    def first(self) -> Batch:
        """Return the first example as a batch of one, which tells what fields there are."""
        return self.batch(torch.zeros(1, dtype=torch.int64))


@dataclass(frozen=True)
class _Field:
    """One field of joint rows."""

    joint: JointRows
    name: str

    @property
    def shape(self) -> Sequence[int]:
        """The number of rows, then the shape of one."""
        return (len(self.joint), *self._of(self.joint.first()).shape[1:])

    def __len__(self) -> int:
        return len(self.joint)

    def __getitem__(self, indices: Tensor, /) -> Tensor:
        return self._of(self.joint.batch(indices))

    def _of(self, batch: Batch) -> Tensor:
        found: Tensor = {"x": batch.x, "condition": batch.condition, **batch.extras}[self.name]
        return found


def read_rows(rows: Rows, indices: Tensor | slice) -> Tensor:
    """Return rows by their indices, or a stretch of them."""
    if isinstance(rows, Tensor):  # index_select is several times faster than indexing
        found: Tensor = rows[indices] if isinstance(indices, slice) else rows.index_select(0, indices)
        return found
    if isinstance(indices, slice):
        indices = torch.arange(*indices.indices(len(rows)))
    return rows[indices.cpu()]


def select(rows: Rows, indices: Tensor | slice) -> Rows:
    """Return some rows of others, by their indices or by a mask; from those that do not lie in memory nothing is read yet."""
    if not isinstance(indices, slice) and indices.dtype == torch.bool:
        indices = indices.nonzero()[:, 0]
    if isinstance(rows, Tensor):
        return rows[indices] if isinstance(indices, slice) else rows[indices.to(rows.device)]
    chosen = torch.arange(len(rows))[indices] if isinstance(indices, slice) else indices.cpu()
    return Selected(rows.rows, rows.indices[chosen]) if isinstance(rows, Selected) else Selected(rows, chosen)


def whole(rows: Rows) -> Tensor:
    """Return all rows in memory: (N, ...)."""
    return rows if isinstance(rows, Tensor) else torch.cat(list(_stretches(rows)))


def _stretches(rows: Rows) -> Iterator[Tensor]:
    if isinstance(rows, Tensor):
        yield rows
        return
    for start in range(0, max(len(rows), 1), AT_ONCE):
        yield read_rows(rows, slice(start, start + AT_ONCE))


def data_digest(*data: Rows | None) -> str:
    """Return the first 16 hex digits of the SHA-256 of the rows' bytes, shapes and types, wherever they lie."""
    digest = hashlib.sha256()
    for rows in data:
        if rows is not None:
            for number, stretch in enumerate(_stretches(rows)):
                if number == 0:
                    digest.update(f"{stretch.dtype}{tuple(rows.shape)}".encode())
                digest.update(stretch.contiguous().cpu().numpy().data)
    return digest.hexdigest()[:16]
