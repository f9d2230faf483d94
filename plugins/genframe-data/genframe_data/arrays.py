"""Loading data on levels: idx files, npz archives and folders of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genframe import Categorical, DataError, Dataset, data_digest

from . import idx, npz
from .files import existing_file, full_path
from .images import class_names, list_images, read_images
from .specs import Idx, Images, Npz
from .splits import Part, divided, divided_by_groups, image_dataset, plain_dataset

__all__ = ["load_idx", "load_images", "load_npz"]


def load_idx(spec: Idx) -> Dataset:
    """Read idx files.

    :raises DataError: if one is missing or not what its header says, or if they do not fit each other.
    """
    train, *published = (_idx_part(spec, prefix) for prefix in spec.prefixes())
    for test in published:
        if test.x.shape[1:] != train.x.shape[1:]:
            raise DataError(
                f"{spec.path}: expected test images of {tuple(train.x.shape[2:])}, found {tuple(test.x.shape[2:])}; "
                "the two sets do not belong together"
            )
    test_or_share = published[0] if published else float(spec.test)
    parts = divided(train, spec.validation, test_or_share, by="block", seed=spec.seed, limit=spec.limit)
    return image_dataset(spec, parts, 256, spec.condition_space(), tuple(part.x for part in (train, *published)))


def _idx_part(spec: Idx, prefix: str) -> Part:
    images = idx.find(spec.path, prefix, idx.IMAGES)
    (n, *size), pixels = idx.read(images, 3)
    x = torch.frombuffer(pixels, dtype=torch.uint8).view(n, 1, *size)
    if not spec.labels:
        return Part(x)
    file = idx.find(spec.path, prefix, idx.LABELS)
    (found,), classes = idx.read(file, 1)
    if found != n:
        raise DataError(f"{file}: expected {n} labels, one for each image of {images.name}, found {found}")
    return Part(x, torch.frombuffer(classes, dtype=torch.uint8).long())


def load_npz(spec: Npz) -> Dataset:
    """Read the arrays.

    :raises DataError: if one is missing or not what the spec says.
    """
    path, space = existing_file(spec.path, "give an npz file as 'path'"), npz.space(spec)
    labels, classes = npz.labels(spec) if spec.labels else ({}, 0)
    own = {split: _npz_part(path, array, spec, labels.get(split)) for split, (array, _) in spec.arrays().items()}
    parts = _npz_splits(spec, own)
    raw = tuple(part.x for part in own.values())
    condition = Categorical((), classes) if spec.labels else None
    if raw[0].is_floating_point():
        protocol = {"data": f"{spec.type}@{data_digest(*raw)}", "seed": spec.seed}
        return plain_dataset(parts, space, condition, protocol)
    levels = 2 if npz.header(path, spec.array).dtype.kind == "b" else 256
    return image_dataset(spec, parts, levels, condition, raw)


def _npz_splits(spec: Npz, own: dict[str, Part]) -> dict[str, Part]:
    validation, test = own.get("validation", spec.validation), own.get("test", spec.test)
    if spec.group_array is None:
        return divided(own["train"], validation, test, by=spec.split, seed=spec.seed, limit=spec.limit)  # type: ignore[arg-type]
    groups, data = torch.from_numpy(npz.groups(spec)), own["train"]
    if len(groups) != len(data):
        raise DataError(f"{spec.path}: expected {len(data)} groups, one for each datum of {spec.array!r}, found {len(groups)}")
    return divided_by_groups(data, groups, validation, test, by=spec.split, seed=spec.seed, limit=spec.limit)  # type: ignore[arg-type]


def _npz_part(path: Path, name: str, spec: Npz, labels: NDArray[np.int64] | None) -> Part:
    x = torch.from_numpy(npz.arranged(npz.read(path, name), spec.layout, spec.downscale))
    if x.is_floating_point() and not bool(x.isfinite().all()):
        raise DataError(f"{path}: {name}: expected finite numbers, found NaN or infinity")
    if labels is not None and len(labels) != len(x):
        raise DataError(f"{path}: expected {len(x)} labels, one for each datum of {name!r}, found {len(labels)}")
    return Part(x, torch.from_numpy(labels) if labels is not None else None)


def load_images(spec: Images) -> Dataset:
    """Read the pictures.

    :raises DataError: if there are none, one cannot be read, or one lies outside the classes' folders.
    """
    paths = list_images(spec.path)
    pixels = torch.from_numpy(read_images(paths, spec.size, "L" if spec.colour == "grey" else "RGB"))
    part = Part(pixels, _folder_classes(spec, paths) if spec.labels else None)
    parts = divided(part, spec.validation, spec.test, by=spec.split, seed=spec.seed, limit=spec.limit)
    return image_dataset(spec, parts, 256, spec.condition_space(), (pixels,))


def _folder_classes(spec: Images, paths: list[Path]) -> Tensor:
    folder, names = full_path(spec.path), class_names(spec.path)
    classes = []
    for path in paths:
        top, *below = path.relative_to(folder).parts
        if not below:
            raise DataError(
                f"{path}: expected pictures in the subfolders {', '.join(names)} only; move it or leave 'labels' out"
            )
        classes.append(names.index(top))
    return torch.tensor(classes)
