"""Loading volumes: occupancy of voxels, from binvox files or an archive of arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from genframe import Categorical, DataError, Dataset

from . import npz
from .bases import SplitBy
from .files import require_memory
from .folders import Scan, class_names, report
from .preparation import Preparation
from .splits import Part, divided, image_dataset
from .voxels import BINVOX, header, packed_shape, scanned

__all__ = ["load_volumes", "read_binvox"]

SHOWN: Final = 20


def load_volumes(
    path: Path,
    array: str,
    prepared: Preparation,
    *,
    labels: bool,
    skip: bool,
    validation: float,
    test: float,
    by: SplitBy,
    limit: int | None,
) -> Dataset:
    """Read volumes (N, 1, D, H, W) of zeros and ones.

    :raises DataError: if they are not of one size, or some cannot be read and are not skipped.
    """
    classes: Sequence[str] = ()
    given: list[int] = []
    lost: Mapping[str, str] = {}
    if path.suffix == ".npz":
        voxels, told = _of_archive(path, array), None
    else:
        found = scanned(path)
        classes = class_names({"train": found}) if labels else ()
        voxels, lost = _of_files(found, skip=skip)
        given = [classes.index(name.partition("/")[0]) for name in found.pictures if name not in lost] if labels else []
        told = report({"train": found}, f" of {len(classes)} classes" if labels else "", len(lost), what="volume")
    part = Part(torch.from_numpy(voxels[:, None]), torch.tensor(given) if labels else None)
    parts = divided(part, validation, test, by=by, seed=prepared.seed, limit=limit)
    space = Categorical((), len(classes)) if labels else None
    data = image_dataset("data/volumes", parts, 2, space, (part.x,), prepared)
    protocol = {"skipped": {"count": len(lost), "files": [*lost][:SHOWN]}} if lost else {}
    splits = {name: replace(split, protocol={**split.protocol, **protocol}) for name, split in data.splits.items()}
    return replace(data, splits=splits, report=told, classes=tuple(classes))


def _of_archive(path: Path, array: str) -> NDArray[np.uint8]:
    shape = packed_shape(path, array)
    values = npz.read(path, array)
    if shape is not None:
        return np.unpackbits(values, axis=1, count=math.prod(shape[1:])).reshape(shape)
    found = np.unique(values)
    if not np.isin(found, (0, 1)).all():
        raise DataError(
            f"{path}: {array}: expected voxels of 0 and 1, found {found[~np.isin(found, (0, 1))][0]:g}; use data/npz"
        )
    return values.astype(np.uint8)


def _of_files(found: Scan, *, skip: bool) -> tuple[NDArray[np.uint8], Mapping[str, str]]:
    """Return the volumes that could be read, and why others could not."""
    size = _size(found)
    require_memory(len(found.pictures) * math.prod(size), f"{found.folder}: {len(found.pictures)} volumes")
    voxels = np.empty((len(found.pictures), *size), np.uint8)
    damaged: dict[str, str] = {}
    count = 0
    for name in found.pictures:
        try:
            volume = read_binvox(found.folder / name)
            if volume.shape != size:
                raise DataError(f"expected {'×'.join(map(str, size))} voxels as the first one has, found {volume.shape}")
        except DataError as error:
            damaged[name] = str(error).removeprefix(f"{found.folder / name}: ")
            continue
        voxels[count] = volume
        count += 1
    if damaged and not (skip and count):
        counts = f"{len(damaged)} of {len(found.pictures)} volumes cannot be read"
        lines = [f"\n  {name}: {reason}" for name, reason in [*damaged.items()][:SHOWN]]
        raise DataError(f"{found.folder}: {counts}; repair or remove them, or say on_error: skip" + "".join(lines))
    return voxels[:count], damaged


def _size(found: Scan) -> tuple[int, int, int]:
    """Return the size of the first volume that says one."""
    for name in found.pictures:
        try:
            return header(found.folder / name)[0]
        except DataError:
            continue
    raise DataError(f"{found.folder}: expected {BINVOX} files, found none with a sound header")


def read_binvox(path: Path) -> NDArray[np.uint8]:
    """Return the voxels of a file, zeros and ones along x, y and z, as Patrick Min's binvox writes them.

    After the header come pairs of bytes, a value and how often it is repeated; y runs fastest, then z, then x.

    :raises DataError: if it is damaged.
    """
    (x, y, z), start = header(path)
    try:
        content = path.read_bytes()[start:]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    pairs: NDArray[Any] = np.frombuffer(content[: len(content) // 2 * 2], np.uint8).reshape(-1, 2)
    total = int(pairs[:, 1].sum(dtype=np.int64))
    if len(content) % 2 or total != x * y * z:
        raise DataError(f"{path}: expected {x * y * z} voxels by its header, found {total}; copy the file again")
    if pairs[:, 0].max(initial=0) > 1:
        raise DataError(f"{path}: expected values of 0 and 1, found {pairs[:, 0].max()}")
    return np.repeat(pairs[:, 0], pairs[:, 1]).reshape(x, z, y).transpose(0, 2, 1)
