"""Arrays in npz archives: their headers alone, or whole; never pickled objects."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from genframe import DataError, Real, Space

from .files import existing_file
from .preparation import Preparation

__all__ = ["Archive", "Header", "arranged", "attributes", "groups", "header", "labels", "read", "space"]

METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DEFLATE_LIMIT: Final = 1032
"""Deflate never expands a byte to more than this many (zlib's technical details)."""


@dataclass(frozen=True)
class Archive:
    """Which arrays of an archive are data, and how they lie: ``arrays`` by split, each with its labels' name."""

    path: Path
    arrays: Mapping[str, tuple[str, str | None]]
    layout: str = "NCHW"
    downscale: int = 1
    group_array: str | None = None

    @property
    def array(self) -> str:
        """The training data."""
        return self.arrays["train"][0]

    def file(self) -> Path:
        """Return the full path.

        :raises DataError: if there is no such file.
        """
        return existing_file(self.path, "give an npz file as 'path'")


@dataclass(frozen=True)
class Header:
    """What an array's header says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def header(path: Path, name: str) -> Header:
    """Return the header of the array ``name`` without reading the array.

    :raises DataError: if there is no such array, or if it holds Python objects.
    """
    with _member(path, name) as (stream, info):
        return _header(stream, info, path, name)


def read(path: Path, name: str) -> NDArray[Any]:
    """Return the array ``name``.

    :raises DataError: if there is no such array, if it is damaged or if it holds Python objects.
    """
    with _member(path, name) as (stream, info):
        _header(stream, info, path, name)
    with _member(path, name) as (stream, _):
        array: NDArray[Any] = np.lib.format.read_array(stream)
        stream.read(1)  # the end, where zipfile compares the checksum
    return np.ascontiguousarray(array)


@contextmanager
def _member(path: Path, name: str) -> Iterator[tuple[IO[bytes], zipfile.ZipInfo]]:
    try:
        with zipfile.ZipFile(path) as zipped:
            names = zipped.namelist()
            if f"{name}.npy" not in names:
                known = ", ".join(entry.removesuffix(".npy") for entry in names[:20])
                raise DataError(f"{path}: expected an array {name!r}, found {known or 'none'}")
            info = zipped.getinfo(f"{name}.npy")
            if info.compress_type not in METHODS or info.flag_bits & 1:
                raise DataError(
                    f"{path}: {name}: expected deflated or stored data, found another method; save it by numpy.savez"
                )
            with zipped.open(info) as stream:
                yield stream, info
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: expected a sound npz archive, found a damaged one ({error}); copy the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _header(stream: IO[bytes], info: zipfile.ZipInfo, path: Path, name: str) -> Header:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{path}: {name}: expected npy version 1 or 2, found {version[0]}.{version[1]}")
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = reader(stream)
    except Exception as error:  # numpy's parser lets TokenError, SyntaxError and TypeError of hostile headers through
        raise DataError(f"{path}: {name}: expected an npy header, found one that cannot be read ({error})") from None
    if dtype.hasobject:
        raise DataError(f"{path}: {name}: expected numbers, found pickled Python objects, which are never loaded")
    expected = math.prod(shape) * dtype.itemsize
    found = info.file_size - stream.tell()
    if expected != found or info.file_size > DEFLATE_LIMIT * info.compress_size:
        raise DataError(f"{path}: {name}: expected {expected} bytes by its header, found {found}")
    return Header(shape, dtype)


def _arranged_shape(found: Header, layout: str, downscale: int, path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of one datum with its channels first, or as a vector.

    :raises DataError: if the array has another number of axes than the layout, is empty, or cannot be downscaled.
    """
    axes = len(found.shape)
    if (layout == "vector" and axes < 2) or (layout != "vector" and axes != len(layout)) or min(found.shape) < 1:
        raise DataError(f"{path}: {name}: expected an array of layout {layout}, found the shape {found.shape}; change 'layout'")
    if found.dtype.kind not in "bf" and found.dtype != np.uint8:
        raise DataError(f"{path}: {name}: expected uint8, bool or floats, found {found.dtype}; save it with .astype('uint8')")
    if layout == "vector":
        return (math.prod(found.shape[1:]),)
    sizes = dict(zip(layout, found.shape, strict=True))
    shape = (sizes.pop("C", 1), *(size for axis, size in sizes.items() if axis != "N"))
    if downscale == 1:
        return shape
    channels, *sides = shape
    if any(side % downscale for side in sides):
        raise DataError(f"{path}: {name}: expected sides that {downscale} divides, found {sides}; change 'downscale'")
    return (channels, *(side // downscale for side in sides))


def arranged(array: NDArray[Any], layout: str, downscale: int = 1) -> NDArray[Any]:
    """Return the array with its channels in second place, or as vectors; floats as float32, bools as 0 and 1.

    Images are averaged over squares of ``downscale`` pixels a side, rounded to their levels.
    """
    if layout == "vector":
        array = array.reshape(len(array), -1)
    elif "C" not in layout:
        array = array[:, None]
    else:
        array = np.moveaxis(array, layout.index("C"), 1)
    kind = np.float32 if array.dtype.kind == "f" else np.uint8
    if downscale > 1:
        n, channels, height, width = array.shape
        squares = array.reshape(n, channels, height // downscale, downscale, width // downscale, downscale)
        means = squares.mean((3, 5), dtype=np.float64)
        array = means if kind is np.float32 else np.rint(means)
    return np.ascontiguousarray(array, dtype=kind)


def _class_numbers(arrays: Sequence[NDArray[Any]], path: Path) -> tuple[list[NDArray[np.int64]], int]:
    """Return labels as numbers from 0 and the number of classes; names are numbered in their sorted order.

    :raises DataError: if they are neither whole numbers from 0 nor names, or are all alike.
    """
    kinds = {array.dtype.kind for array in arrays}
    if any(array.ndim != 1 or not len(array) for array in arrays) or not (kinds <= set("iu") or kinds in ({"U"}, {"S"})):
        found = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
        raise DataError(f"{path}: expected labels (N,) of whole numbers or of names, found {found}")
    if kinds <= set("iu"):
        lowest, highest = min(int(array.min()) for array in arrays), max(int(array.max()) for array in arrays)
        numbers, classes = [array.astype(np.int64) for array in arrays], highest + 1
    else:
        known = np.unique(np.concatenate(arrays))
        numbers, lowest, classes = [np.searchsorted(known, array) for array in arrays], 0, len(known)
    if lowest < 0 or classes < 2:
        raise DataError(f"{path}: expected labels from 0 and at least two classes, found {lowest} to {classes - 1}")
    return numbers, classes


def space(archive: Archive, prepared: Preparation) -> Space:
    """Return the space of one datum, by the headers of all arrays of data.

    :raises DataError: if an array is missing, does not fit the layout, or does not fit the first.
    """
    path = archive.file()
    found = {name: header(path, name) for name, _ in archive.arrays.values()}
    shapes = {name: _arranged_shape(entry, archive.layout, archive.downscale, path, name) for name, entry in found.items()}
    shape, dtype = shapes[archive.array], found[archive.array].dtype
    for name in found:
        if (shapes[name], found[name].dtype) != (shape, dtype):
            raise DataError(
                f"{path}: {name}: expected {dtype} of {shape} as in {archive.array!r}, "
                f"found {found[name].dtype} of {shapes[name]}"
            )
    if dtype.kind != "f":
        return prepared.space(shape, 2 if dtype.kind == "b" else 256)
    if prepared != Preparation(seed=prepared.seed):
        raise DataError(
            f"{path}: {archive.array}: expected uint8 or bool to prepare, found {dtype}; floats are taken as they are"
        )
    return Real(shape)


def groups(archive: Archive, name: str) -> NDArray[np.int64]:
    """Return the number of each datum's group.

    :raises DataError: if the array is missing, or is not of names or whole numbers.
    """
    path = archive.file()
    array = read(path, name)
    if array.ndim != 1 or array.dtype.kind not in "iuUS":
        raise DataError(f"{path}: {name}: expected names or whole numbers (N,), found {array.dtype} {array.shape}")
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def labels(archive: Archive) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Return the labels of each split that has its own arrays, and the number of classes.

    :raises DataError: if an array is missing or not of labels.
    """
    path = archive.file()
    names = {split: name for split, (_, name) in archive.arrays.items() if name is not None}
    numbers, classes = _class_numbers([read(path, name) for name in names.values()], path)
    return dict(zip(names, numbers, strict=True)), classes


def attributes(archive: Archive) -> dict[str, tuple[str, ...]]:
    """Return the arrays that could be labels, each with the names of its classes in their order.

    :raises DataError: if an array cannot be read.
    """
    path = archive.file()
    count = header(path, archive.array).shape[0]
    names = [name for name in _names(path) if len(archive.arrays) == 1 or name == archive.arrays["train"][1]]
    return {name: classes for name in names for classes in _classes(path, name, count)}


def _names(path: Path) -> list[str]:
    """Return the names of the archive's arrays.

    :raises DataError: if it is none.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            return [entry.removesuffix(".npy") for entry in zipped.namelist() if entry.endswith(".npy")]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: expected an npz archive, found none that can be read ({error})") from None


def _classes(path: Path, name: str, count: int) -> Iterator[tuple[str, ...]]:
    """Yield the names of the classes of an array, if it is of at least two classes, one for each datum."""
    found = header(path, name)
    if found.shape != (count,) or found.dtype.kind not in "iuUS":
        return
    array = read(path, name)
    if found.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low >= 0 and 0 < high < count:
            yield tuple(map(str, range(high + 1)))
        return
    known = np.unique(array)
    if len(known) > 1:
        yield tuple(text.decode(errors="replace") if isinstance(text, bytes) else text for text in known.tolist())
