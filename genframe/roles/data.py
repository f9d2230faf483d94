"""Data as parts see it: splits of rows, in memory or anywhere else, that give prepared batches by index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import torch
from torch import Generator, Tensor

from ..types import Batch, DataError, Real, Report, Space
from .rows import Rows, read_rows, select

__all__ = ["SHARE", "Dataset", "Prepare", "Split", "as_stored", "into"]

SHARE: Final = 0.25
"""A split is copied whole to a GPU if it takes no more than this share of the memory that is free there."""

Prepare: TypeAlias = Callable[[Tensor, Generator | None], Tensor]


def as_stored(stored: Tensor, generator: Generator | None) -> Tensor:
    """Return the stored tensor as it is: the preparation of data that needs none."""
    return stored


@dataclass(frozen=True)
class Split:
    """One split of a dataset, stored compactly; ``prepare`` turns stored values into the dataset's space.

    ``stored``: rows (N, ...), a tensor or others; ``condition``: rows (N, ...) or ``None``. ``protocol`` says what a result
    depends on besides the examples: split, seed, binarisation, dequantisation. ``augment`` prepares what a loss is trained on;
    priors that are fitted to codes, and metrics, see examples without it. Where it draws one of a few preparations for each
    example, all equally likely, such as an image or its mirror image, ``variants`` are these. For text, ``characters`` (N,)
    says how many each example stands for. ``extras``: more rows by name, (N, ...) each, which reach the loss in its batch.
    ``target`` is the device that batches go to, where rows lie elsewhere.
    """

    name: str
    stored: Rows
    condition: Rows | None = None
    prepare: Prepare = as_stored
    protocol: Mapping[str, Any] = field(default_factory=dict)
    augment: Prepare | None = None
    characters: Tensor | None = None
    extras: Mapping[str, Rows] = field(default_factory=dict)
    target: torch.device | None = None
    variants: tuple[Prepare, ...] = ()

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def device(self) -> torch.device:
        """The device of prepared batches."""
        return self.target or (self.stored.device if isinstance(self.stored, Tensor) else torch.device("cpu"))

    @property
    def in_memory(self) -> bool:
        """Whether all rows lie on the device of the batches, so that nothing is gained by reading them ahead."""
        rows = (self.stored, self.condition, *self.extras.values())
        return all(isinstance(each, Tensor) and each.device == self.device for each in rows if each is not None)

    def subset(self, rows: Tensor | slice) -> Split:
        """Return the split of the examples at ``rows``."""
        return self._mapped(lambda each: select(each, rows))

    def _mapped(self, each: Callable[[Rows], Rows]) -> Split:
        condition = each(self.condition) if self.condition is not None else None
        characters = each(self.characters) if self.characters is not None else None
        extras = {name: each(extra) for name, extra in self.extras.items()}
        assert characters is None or isinstance(characters, Tensor)
        return replace(self, stored=each(self.stored), condition=condition, characters=characters, extras=extras)

    def batch(self, indices: Tensor | slice, generator: Generator | None = None) -> Batch:
        """Return the prepared examples at ``indices``; ``generator`` draws binarisation or dequantisation."""
        return self._prepared(self.prepare, indices, generator)

    def training_batch(self, indices: Tensor, generator: Generator | None = None) -> Batch:
        """Return the examples at ``indices`` as a loss is trained on them; torch's global generator draws if none is given."""
        return self._prepared(self.augment or self.prepare, indices, generator)

    def _prepared(self, prepare: Prepare, indices: Tensor | slice, generator: Generator | None) -> Batch:
        condition = self._read(self.condition, indices) if self.condition is not None else None
        extras = {name: self._read(extra, indices) for name, extra in self.extras.items()}
        return Batch(prepare(self._read(self.stored, indices), generator), condition, extras)

    def _read(self, rows: Rows, indices: Tensor | slice) -> Tensor:
        found = read_rows(rows, indices)
        if self.target is None or found.device == self.target:
            return found
        return found.pin_memory().to(self.target, non_blocking=True) if self.target.type == "cuda" else found.to(self.target)

    def batches(self, size: int, generator: Generator | None = None) -> Iterator[Batch]:
        """Yield the whole split in order, in batches of ``size``."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size), generator)

    def to(self, device: torch.device | str) -> Split:
        """Return the split whose batches are on ``device``.

        Its tensors are moved there, unless they would take more than :data:`SHARE` of a GPU's free memory; other rows stay
        where they are.
        """
        device = torch.empty(0, device=device).device  # with its index
        placed = replace(self, target=device)
        if device.type == "cuda":
            tensors = [rows for rows in (self.stored, self.condition, *self.extras.values()) if isinstance(rows, Tensor)]
            there = torch.cuda.mem_get_info(device)[0]
            if sum(rows.nbytes for rows in tensors if rows.device != device) > SHARE * there:
                return placed
        return placed._mapped(lambda rows: rows.to(device) if isinstance(rows, Tensor) else rows)


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
