"""Loading data on levels: idx files and npz archives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genframe import Categorical, DataError, Dataset, Space, data_digest
from genframe.types import Report

from . import classes, idx, layouts, npz
from .bases import SplitBy
from .preparation import Preparation
from .splits import Part, divided, divided_by_groups, image_dataset, plain_dataset

__all__ = ["load_idx", "load_npz"]


def load_idx(
    path: Path,
    prefixes: tuple[str, ...],
    prepared: Preparation,
    condition: Space | None,
    *,
    validation: float,
    test: float,
    limit: int | None,
) -> Dataset:
    """Read idx files: those of training, and those of a published test set or else a share of the training data.

    :raises DataError: if one is missing or not what its header says, or if they do not fit each other.
    """
    train, *published = (_idx_part(path, prefix, condition is not None) for prefix in prefixes)
    for other in published:
        if other.x.shape[1:] != train.x.shape[1:]:
            raise DataError(
                f"{path}: expected test images of {tuple(train.x.shape[2:])}, found {tuple(other.x.shape[2:])}; "
                "the two sets do not belong together"
            )
    held_out = published[0] if published else test
    parts = divided(train, validation, held_out, by="block", seed=prepared.seed, limit=limit)
    return image_dataset("data/idx", parts, 256, condition, tuple(part.x for part in (train, *published)), prepared)


def _idx_part(folder: Path, prefix: str, labels: bool) -> Part:
    images = idx.find(folder, prefix, idx.IMAGES)
    (n, *size), pixels = idx.read(images, 3)
    x = torch.frombuffer(pixels, dtype=torch.uint8).view(n, 1, *size)
    if not labels:
        return Part(x)
    file = idx.find(folder, prefix, idx.LABELS)
    (found,), content = idx.read(file, 1)
    if found != n:
        raise DataError(f"{file}: expected {n} labels, one for each image of {images.name}, found {found}")
    return Part(x, torch.frombuffer(content, dtype=torch.uint8).long())


def load_npz(
    archive: npz.Archive,
    prepared: Preparation,
    *,
    labels: bool,
    validation: float,
    test: float,
    by: SplitBy,
    limit: int | None,
    report: Report | None = None,
) -> Dataset:
    """Read the arrays; shares are of data, or of groups, and count where a split has no array of its own.

    :raises DataError: if one is missing or not what is said of it.
    """
    space = layouts.space(archive, prepared)
    numbers, names = classes.labels(archive) if labels else ({}, ())
    arrays = {split: npz.read(archive.file(), array) for split, (array, _) in archive.arrays.items()}
    floats = arrays["train"].dtype.kind == "f"
    arrays, levels, said = (arrays, 0, {}) if floats else layouts.levelled(arrays, archive)
    own = {split: _npz_part(archive, split, array, numbers.get(split)) for split, array in arrays.items()}
    parts = _npz_splits(archive, own, validation, test, by, prepared.seed, limit)
    raw = tuple(part.x for part in own.values())
    condition = Categorical((), len(names)) if labels else None
    if floats:
        protocol = {"data": f"data/npz@{data_digest(*raw)}", "seed": prepared.seed}
        data = plain_dataset(parts, space, condition, protocol)
    else:
        data = image_dataset("data/npz", parts, levels, condition, raw, prepared)
    splits = {name: replace(split, protocol={**split.protocol, **said}) for name, split in data.splits.items()}
    return replace(data, splits=splits, classes=names, report=report)


def _npz_splits(
    archive: npz.Archive, own: dict[str, Part], validation: float, test: float, by: SplitBy, seed: int, limit: int | None
) -> dict[str, Part]:
    data = own["train"]
    if archive.group_array is None:
        held_out = own.get("validation", validation), own.get("test", test)
        return divided(data, *held_out, by=by, seed=seed, limit=limit)
    groups = torch.from_numpy(classes.groups(archive, archive.group_array))
    if len(groups) != len(data):
        raise DataError(
            f"{archive.path}: expected {len(data)} groups, one for each datum of {archive.array!r}, found {len(groups)}"
        )
    return divided_by_groups(data, groups, validation, test, by=by, seed=seed, limit=limit)


def _npz_part(archive: npz.Archive, split: str, array: NDArray[Any], labels: NDArray[np.int64] | None) -> Part:
    path, name = archive.file(), archive.arrays[split][0]
    x = torch.from_numpy(layouts.arranged(array, archive.layout, archive.downscale))
    if x.is_floating_point() and not bool(x.isfinite().all()):
        raise DataError(f"{path}: {name}: expected finite numbers, found NaN or infinity")
    if labels is not None and len(labels) != len(x):
        raise DataError(f"{path}: expected {len(x)} labels, one for each datum of {name!r}, found {len(labels)}")
    return Part(x, torch.from_numpy(labels) if labels is not None else None)
