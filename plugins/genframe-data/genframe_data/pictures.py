"""Loading folders of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genframe import Categorical, Dataset
from genframe.roles import Rows, select

from .bases import SplitBy
from .decoding import Pictures
from .folders import Folders, Scan, class_names, report
from .picture_cache import SHOWN, CachedPictures, cached_pictures
from .preparation import Preparation
from .splits import Part, divided, image_dataset

__all__ = ["load_images"]


def load_images(
    folders: Folders,
    how: Pictures,
    prepared: Preparation,
    *,
    skip: bool,
    contents: bool,
    labels: bool,
    validation: float,
    test: float,
    by: SplitBy,
    limit: int | None,
) -> Dataset:
    """Read the pictures, from the cache or into it; shares are held out where a split has no folder of its own.

    ``skip`` leaves out pictures that cannot be read; ``contents`` compares files with the cache by their content.

    :raises DataError: if there are none, some cannot be read, or one lies outside the classes' folders.
    """
    scans = folders.scans()
    names = class_names(scans) if labels else []
    found = cached_pictures(scans, how, skip=skip, contents=contents)
    stored = found.entry.rows()
    own = {split: _part(stored, found.rows[split], scans[split], found.first(split), names) for split in scans}
    held_out = own.get("validation", validation), own.get("test", test)
    parts = divided(own["train"], *held_out, by=by, seed=prepared.seed, limit=limit)
    classes = Categorical((), len(names)) if labels else None
    raw = tuple(part.x for part in own.values())
    data = image_dataset("data/images", parts, 256, classes, raw, prepared, found.digest)
    told = report(scans, names, sum(map(len, found.damaged.values())), found.changes)
    splits = {
        name: replace(split, protocol={**split.protocol, **found.protocol, **_skipped(found, name)})
        for name, split in data.splits.items()
    }
    return replace(data, splits=splits, report=told, classes=tuple(names))


def _part(stored: Rows, rows: NDArray[np.int64], scan: Scan, first: int, names: Sequence[str]) -> Part:
    """Return the pictures of a split; those of its folder begin at row ``first``."""
    numbers = {name: number for number, name in enumerate(names)}
    classes = [numbers[scan.pictures[row - first].partition("/")[0]] for row in rows.tolist()] if names else None
    return Part(select(stored, torch.from_numpy(rows)), torch.tensor(classes) if classes is not None else None)


def _skipped(found: CachedPictures, split: str) -> dict[str, Any]:
    """Return what a split's protocol says of pictures that cannot be read."""
    damaged = found.damaged.get(split, found.damaged["train"])
    return {"skipped": {"count": len(damaged), "files": [*damaged][:SHOWN]}} if damaged else {}
