"""Loading a folder of pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from genframe import Categorical, DataError, Dataset

from .bases import SplitBy
from .folders import Pictures, class_names, find, report
from .images import Pixels, read_images
from .limits import memory_left
from .picture_folder import Images
from .splits import Part, divided, image_dataset

__all__ = ["load_images"]

LISTED: Final = 20


def load_images(spec: Images) -> Dataset:
    """Read the pictures.

    :raises DataError: if there are none, some cannot be read, or one lies outside the classes' folders.
    """
    found = find(spec)
    names = class_names(found) if spec.labels else ()
    paths = [path for pictures in found.values() for path in pictures.paths]
    classes = np.array(_classes(found, names)) if spec.labels else None
    _check_memory(spec, len(paths))
    read = read_images(paths, spec)
    if read.damaged and (spec.on_error == "refuse" or not read.kept):
        raise _refused(spec.path, read)
    if classes is not None:
        _check_classes(spec.path, classes[list(read.kept)], names)
    dataset = image_dataset(spec, _parts(spec, found, read, classes), 256, None, (torch.from_numpy(read.levels),))
    protocol = _protocol(spec, read)
    splits = {name: replace(split, protocol={**split.protocol, **protocol}) for name, split in dataset.splits.items()}
    condition = Categorical((), len(names)) if spec.labels else None
    return replace(dataset, splits=splits, condition_space=condition, report=(*report(found, spec.labels), *_left_out(read)))


def _parts(spec: Images, found: Mapping[str, Pictures], read: Pixels, classes: np.ndarray[Any, Any] | None) -> dict[str, Part]:
    """Return the pictures by split."""
    x, kept = torch.from_numpy(read.levels), np.array(read.kept)
    labels = torch.from_numpy(classes[kept]) if classes is not None else None
    whole, own, end = Part(x, labels), {}, 0
    for split, pictures in found.items():
        begin, end = end, end + len(pictures.paths)
        low, high = np.searchsorted(kept, [begin, end]).tolist()
        own[split] = whole.at(slice(low, high))
    by: SplitBy = "block" if spec.split == "block" else "random"
    validation, test = own.get("validation", spec.validation), own.get("test", spec.test)
    return divided(own["train"], validation, test, by=by, seed=spec.seed, limit=spec.limit)


def _classes(found: Mapping[str, Pictures], names: tuple[str, ...]) -> list[int]:
    numbers = {name: number for number, name in enumerate(names)}
    classes = []
    for pictures in found.values():
        for path in pictures.paths:
            top, *below = path.relative_to(pictures.folder).parts
            if not below:
                raise DataError(
                    f"{path}: expected pictures in the subfolders {', '.join(names)} only; move it or leave 'labels' out"
                )
            classes.append(numbers[top])
    return classes


def _check_memory(spec: Images, count: int) -> None:
    size, left = count * math.prod(spec.size) * (1 if spec.colour == "grey" else 3), memory_left()
    if left is not None and size > left:
        raise DataError(
            f"{spec.path}: expected pictures that fit into memory, found {count} that take {size} bytes, and {left} are left; "
            "make 'size' smaller"
        )


def _check_classes(folder: Path, classes: np.ndarray[Any, Any], names: tuple[str, ...]) -> None:
    empty = [name for number, name in enumerate(names) if not (classes == number).any()]
    if empty:
        raise DataError(f"{folder}: expected pictures of every class, found none that can be read of {', '.join(empty)}")


def _refused(folder: Path, read: Pixels) -> DataError:
    """Return the error of files that cannot be read: all of them, up to 20."""
    (first, reason), *others = read.damaged.items()
    hint = ", or say on_error: skip to leave {} out" if read.kept else ""
    if not others:
        hint = "restore or remove it" + hint.format("it")
        return DataError(f"{first}: expected a picture, found one that cannot be read ({reason}); {hint}")
    lines = [f"  {path}: {reason}" for path, reason in list(read.damaged.items())[:LISTED]]
    more = [f"  and {len(read.damaged) - LISTED} more"] if len(read.damaged) > LISTED else []
    told = f"{folder}: expected pictures, found {len(read.damaged)} that cannot be read and {len(read.kept)} that can"
    return DataError("\n".join([f"{told}; restore or remove them{hint.format('them')}:", *lines, *more]))


def _left_out(read: Pixels) -> tuple[str, ...]:
    names = [path.name for path in read.damaged]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return (f"left out {len(names)} damaged: {', '.join(names[:LISTED])}{more}",) if names else ()


def _protocol(spec: Images, read: Pixels) -> dict[str, Any]:
    """Return what was done to some pictures; nothing for pictures that were read as they are."""
    said: dict[str, Any] = {}
    if read.composited:
        said["background"] = list(spec.background_colour)
    if read.grey_range is not None:
        said["grey_range"] = list(read.grey_range)
    if read.damaged:
        said["damaged"] = len(read.damaged)
    if spec.draft:
        said["draft"] = True
    return said
