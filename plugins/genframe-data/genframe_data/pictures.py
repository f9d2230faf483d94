"""Loading folders of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from genframe import Categorical, DataError, Dataset

from .bases import SplitBy
from .folders import Folders, Scan, class_names, report
from .images import Decoded, Pictures, read_images
from .preparation import Preparation
from .splits import Part, divided, image_dataset

__all__ = ["load_images"]


def load_images(
    folders: Folders,
    how: Pictures,
    prepared: Preparation,
    *,
    labels: bool,
    validation: float,
    test: float,
    by: SplitBy,
    limit: int | None,
) -> Dataset:
    """Read the pictures; shares are held out where a split has no folder of its own.

    :raises DataError: if there are none, some cannot be read, or one lies outside the classes' folders.
    """
    scans = folders.scans()
    names = class_names(scans) if labels else []
    decoded = {split: read_images(found.folder, found.pictures, how) for split, found in scans.items()}
    ranges = {tuple(found.protocol.get("intensities", ())) for found in decoded.values()}
    if len(ranges) > 1:
        raise DataError(f"{folders.path}: the splits have the ranges {sorted(ranges)}; say one for all as 'intensities'")
    own = {split: _part(scans[split], found, names) for split, found in decoded.items()}
    held_out = own.get("validation", validation), own.get("test", test)
    parts = divided(own["train"], *held_out, by=by, seed=prepared.seed, limit=limit)
    classes = Categorical((), len(names)) if labels else None
    raw = tuple(part.x for part in own.values())
    data = image_dataset("data/images", parts, 256, classes, raw, prepared)
    told = report(scans, names, sum(len(found.damaged) for found in decoded.values()))
    splits = {
        name: replace(split, protocol={**split.protocol, **_protocol(decoded, name)}) for name, split in data.splits.items()
    }
    return replace(data, splits=splits, report=told, classes=tuple(names))


def _part(scan: Scan, found: Decoded, names: Sequence[str]) -> Part:
    classes = torch.tensor([names.index(scan.parts(path)[0]) for path in found.paths]) if names else None
    return Part(torch.from_numpy(found.pixels), classes)


def _protocol(decoded: Mapping[str, Decoded], split: str) -> dict[str, Any]:
    return decoded.get(split, decoded["train"]).protocol
