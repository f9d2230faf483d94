"""Classes from labels: whole numbers or names, numbered without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genframe import DataError

from .npz import Archive, header, names, read

__all__ = ["attributes", "class_numbers", "groups", "labels"]

LABEL_KINDS: Final = "biuUS"
FEW: Final = 20
LARGEST: Final = 2**63 - 1


def groups(archive: Archive, name: str) -> NDArray[np.int64]:
    """Return the number of each example's group.

    :raises DataError: if the array is missing, or is not of names or whole numbers.
    """
    path = archive.file()
    array = read(path, name)
    if array.ndim != 1 or array.dtype.kind not in "iuUS":
        raise DataError(f"{path}: {name}: expected names or whole numbers (N,), found {array.dtype} {array.shape}")
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def labels(archive: Archive) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Return the labels of each split that has its own arrays, and the names of the classes.

    :raises DataError: if an array is missing or not of labels.
    """
    path = archive.file()
    given = {split: name for split, (_, name) in archive.arrays.items() if name is not None}
    numbers, classes = class_numbers([read(path, name) for name in given.values()], path)
    return dict(zip(given, numbers, strict=True)), classes


def attributes(archive: Archive) -> dict[str, tuple[str, ...]]:
    """Return the arrays that could be labels, each with the names of its classes in their order.

    :raises DataError: if an array cannot be read.
    """
    path = archive.file()
    count = header(path, archive.array).shape[0]
    possible = [name for name in names(path) if len(archive.arrays) == 1 or name == archive.arrays["train"][1]]
    fit = [name for name in possible if (head := header(path, name)).shape == (count,) and head.dtype.kind in LABEL_KINDS]
    found = {name: _possible_classes(read(path, name)) for name in fit}
    return {name: classes for name, classes in found.items() if classes}


def class_numbers(arrays: Sequence[NDArray[Any]], path: Path) -> tuple[list[NDArray[np.int64]], tuple[str, ...]]:
    """Return labels as numbers from 0, and the names of the classes in sorted order; no class is without an example.

    :raises DataError: if they are neither whole numbers from 0 nor names, all alike, or each different.
    """
    _refuse_unfit(arrays, path)
    if any(array.dtype.kind == "u" and int(array.max()) > LARGEST for array in arrays):
        raise DataError(f"{path}: expected labels up to {LARGEST}, found larger ones; leave 'labels' out")
    together = np.concatenate([array.astype(np.int64) if array.dtype.kind == "u" else array for array in arrays])
    known = np.unique(together)
    if len(known) < 2:
        raise DataError(f"{path}: expected labels of at least two classes, found only {_name(known[0])!r}; leave 'labels' out")
    if known.dtype.kind in "iu" and known[0] < 0:
        raise DataError(
            f"{path}: expected labels from 0, found {known[0]}; where that means that there is no label, leave these data out "
            "or give them a class of their own"
        )
    if len(known) == len(together) > FEW:
        raise DataError(f"{path}: expected classes, found {len(known)} labels that are all different; leave 'labels' out")
    return [np.searchsorted(known, array).astype(np.int64) for array in arrays], tuple(map(_name, known))


def _possible_classes(array: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the classes of an array that could be labels; of no other array any."""
    known = np.unique(array)
    absurd = len(known) < 2 or len(known) > max(FEW, len(array) // 2) or (known.dtype.kind in "iu" and known[0] < 0)
    return () if absurd else tuple(map(_name, known))


def _name(label: Any) -> str:
    value = label.item()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _refuse_unfit(arrays: Sequence[NDArray[Any]], path: Path) -> None:
    kinds = {array.dtype.kind for array in arrays}
    fit = all(array.ndim == 1 and len(array) for array in arrays)
    if fit and (kinds <= set("iu") or (len(kinds) == 1 and kinds <= set(LABEL_KINDS))):
        return
    found = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
    raise DataError(f"{path}: expected labels (N,) of whole numbers or of names, found {found}; {_advice(arrays)}")


def _advice(arrays: Sequence[NDArray[Any]]) -> str:
    """Return what would do, without harm to what the labels say."""
    if all(_one_hot(array) for array in arrays):
        return "they are one-hot: save them with .argmax(1)"
    if all(array.ndim == 1 and array.dtype.kind == "f" and bool((array == np.floor(array)).all()) for array in arrays):
        return "they are whole: save them with .astype('int64')"
    return "name an array of classes as 'label_array', or leave 'labels' out"


def _one_hot(array: NDArray[Any]) -> bool:
    if array.ndim != 2 or array.dtype.kind not in "biuf" or array.shape[1] < 2:
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all())
