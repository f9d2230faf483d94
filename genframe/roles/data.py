"""Data as parts see it: splits that live in memory and give prepared batches by index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch
from torch import Generator, Tensor

from ..types import Batch, DataError, Real, Report, Space

__all__ = ["Dataset", "Prepare", "Split", "as_stored", "data_digest", "into"]

Prepare: TypeAlias = Callable[[Tensor, Generator | None], Tensor]


def as_stored(stored: Tensor, generator: Generator | None) -> Tensor:
    """Return the stored tensor as it is: the preparation of data that needs none."""
    return stored


@dataclass(frozen=True)
class Split:
    """One split of a dataset, stored compactly; ``prepare`` turns stored values into the dataset's space.

    ``stored``: (N, ...); ``condition``: (N, ...) or ``None``. ``protocol`` says what a result depends on besides the examples:
    split, seed, binarisation, dequantisation. ``augment`` prepares what a loss is trained on; priors that are fitted to codes,
    and metrics, see examples without it. For text, ``characters`` (N,) says how many each example stands for. ``extras``: more
    tensors by name, (N, ...) each, which reach the loss in its batch.
    """

    name: str
    stored: Tensor
    condition: Tensor | None = None
    prepare: Prepare = as_stored
    protocol: Mapping[str, Any] = field(default_factory=dict)
    augment: Prepare | None = None
    characters: Tensor | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stored)

    def subset(self, rows: Tensor | slice) -> Split:
        """Return the split of the examples at ``rows``."""
        return self._mapped(lambda tensor: tensor[rows])

    def _mapped(self, each: Callable[[Tensor], Tensor]) -> Split:
        condition, characters = (each(tensor) if tensor is not None else None for tensor in (self.condition, self.characters))
        extras = {name: each(extra) for name, extra in self.extras.items()}
        return replace(self, stored=each(self.stored), condition=condition, characters=characters, extras=extras)

    def batch(self, indices: Tensor | slice, generator: Generator | None = None) -> Batch:
        """Return the prepared examples at ``indices``; ``generator`` draws binarisation or dequantisation."""
        return self._prepared(self.prepare, indices, generator)

    def training_batch(self, indices: Tensor) -> Batch:
        """Return the examples at ``indices`` as a loss is trained on them, drawn by torch's global generator."""
        return self._prepared(self.augment or self.prepare, indices, None)

    def _prepared(self, prepare: Prepare, indices: Tensor | slice, generator: Generator | None) -> Batch:
        condition = _rows(self.condition, indices) if self.condition is not None else None
        extras = {name: _rows(extra, indices) for name, extra in self.extras.items()}
        return Batch(prepare(_rows(self.stored, indices), generator), condition, extras)

    def batches(self, size: int, generator: Generator | None = None) -> Iterator[Batch]:
        """Yield the whole split in order, in batches of ``size``."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size), generator)

    def to(self, device: torch.device | str) -> Split:
        """Return the split with its tensors on ``device``."""
        return self._mapped(lambda tensor: tensor.to(device))


def _rows(tensor: Tensor, indices: Tensor | slice) -> Tensor:
    return tensor[indices] if isinstance(indices, slice) else tensor.index_select(0, indices)  # several times faster


def data_digest(*tensors: Tensor | None) -> str:
    """Return the first 16 hex digits of the SHA-256 of the tensors' bytes, shapes and types."""
    digest = hashlib.sha256()
    for tensor in tensors:
        if tensor is not None:
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """The splits of a dataset, with the spaces that all share.

    ``files`` are texts by the names under which a run's folder keeps them, so that it can be read without the dataset.
    ``report`` says what was taken from files, and what was not; ``classes`` are the names of the condition's classes.
    """

    space: Space
    splits: Mapping[str, Split]
    condition_space: Space | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    report: Report | None = None
    classes: tuple[str, ...] = ()

    def split(self, name: str) -> Split:
        """Return the split ``name``.

        :raises DataError: if the dataset has none of that name.
        """
        if name not in self.splits:
            raise DataError(f"the data has no split {name!r}; it has {', '.join(self.splits)}")
        return self.splits[name]


def into(target: Space, x: Tensor, space: Space) -> Tensor:
    """Return data of ``space`` as data of ``target``, which is :func:`~genframe.spaces.alike`: (N, ...) -> (N, ...).

    Values go from one's bounds to the other's; dequantised ones go to their levels where the target has no noise.
    """
    if space == target or not (isinstance(space, Real) and isinstance(target, Real)):
        return x
    if space.low is None or space.high is None or target.low is None or target.high is None:
        return x
    unit = (x - space.low) / (space.high - space.low)
    if space.dequantised and not target.dequantised and space.levels is not None:
        unit = (unit * space.levels).floor().clamp(0, space.levels - 1) / (space.levels - 1)
    return target.low + (target.high - target.low) * unit
