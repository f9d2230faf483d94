"""Loading folders of pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genframe import DataError, Dataset
from genframe.roles import Rows, select

from .annotations import Condition, listed
from .bases import SplitBy
from .decoding import Pictures
from .folders import Folders, Scan, report
from .picture_cache import SHOWN, CachedPictures, cached_pictures
from .preparation import Preparation
from .splits import Part, divided, image_dataset

__all__ = ["listed_parts", "load_images", "values_as_tensor"]


def load_images(
    folders: Folders,
    how: Pictures,
    prepared: Preparation,
    condition: Condition,
    *,
    skip: bool,
    contents: bool,
    validation: float,
    test: float,
    by: SplitBy,
    limit: int | None,
) -> Dataset:
    """Read the pictures, from the cache or into it; shares are held out where a split has no folder or list of its own.

    ``skip`` leaves out pictures that cannot be read; ``contents`` compares files with the cache by their content.

    :raises DataError: if there are none, some cannot be read, or one has no condition.
    """
    scans = folders.scans()
    names = condition.classes(scans)
    found = cached_pictures(scans, how, skip=skip, contents=contents)
    stored = found.entry.rows()
    own = {split: _part(stored, found, split, condition.values(scans[split], names)) for split in scans}
    raw = tuple(part.x for part in own.values())
    own |= listed_parts(folders, scans["train"], own["train"], found.rows["train"])
    held_out = own.get("validation", validation), own.get("test", test)
    parts = divided(own["train"], *held_out, by=by, seed=prepared.seed, limit=limit)
    data = image_dataset("data/images", parts, 256, condition.space(scans), raw, prepared, found.digest)
    told = report(scans, condition.told(names), sum(map(len, found.damaged.values())), found.changes)
    splits = {
        name: replace(split, protocol={**split.protocol, **found.protocol, **_skipped(found, name)})
        for name, split in data.splits.items()
    }
    return replace(data, splits=splits, report=told, classes=names)


def _part(stored: Rows, found: CachedPictures, split: str, values: list[int] | list[bytes] | None) -> Part:
    """Return the pictures of a split's folder that could be read; ``values`` are the conditions of all of them."""
    rows = torch.from_numpy(found.rows[split])
    return Part(select(stored, rows), values_as_tensor(values)[rows - found.first(split)] if values is not None else None)


def values_as_tensor(values: list[int] | list[bytes]) -> Tensor:
    """Return classes as (N,), captions as (N, length) bytes."""
    if isinstance(values[0], bytes):
        return torch.from_numpy(np.array(values, np.bytes_).view(np.uint8).reshape(len(values), -1).copy())
    return torch.tensor(values)


def listed_parts(folders: Folders, scan: Scan, train: Part, rows: NDArray[np.int64]) -> dict[str, Part]:
    """Return the splits whose pictures are named in lists, and the training pictures without them."""
    chosen = {split: np.flatnonzero(np.isin(rows, listed(path, scan))) for split, path in folders.lists.items()}
    if not chosen:
        return {}
    both = np.concatenate([*chosen.values()])
    if len(np.unique(both)) < len(both):
        raise DataError(f"{folders.path}: expected each picture in one split, found some in both lists")
    rest = np.setdiff1d(np.arange(len(train)), both)
    if not len(rest):
        raise DataError(f"{folders.path}: the lists name every picture, and leave none for training")
    return {split: train.at(torch.from_numpy(places)) for split, places in {**chosen, "train": rest}.items()}


def _skipped(found: CachedPictures, split: str) -> dict[str, Any]:
    """Return what a split's protocol says of pictures that cannot be read."""
    damaged = found.damaged.get(split, found.damaged["train"])
    return {"skipped": {"count": len(damaged), "files": [*damaged][:SHOWN]}} if damaged else {}
