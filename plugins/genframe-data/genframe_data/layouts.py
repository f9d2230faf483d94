"""From arrays as they lie in a file to data with their channels first, on at most 256 levels or continuous."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genframe import DataError, Real, Space

from .npz import Archive, Header, header
from .preparation import Preparation

__all__ = ["arranged", "levelled", "space"]

CHANNELS: Final = (1, 3, 4)
LAYOUTS: Final = ("vector", "NL", "NCL", "NLC", "NHW", "NCHW", "NHWC", "NDHW", "NCDHW", "NDHWC")


def levelled(arrays: Mapping[str, NDArray[Any]], archive: Archive) -> tuple[dict[str, NDArray[Any]], int, dict[str, Any]]:
    """Return arrays of whole numbers by split as bytes, the number of their levels, and what the protocol should say.

    Numbers from 0 to 255 stay as they are. Others are scaled from ``intensities``, or the range of all arrays together.

    :raises DataError: if there are only two values and nothing says that they are all, or values beyond the levels.
    """
    if all(array.dtype.kind == "b" for array in arrays.values()):
        return dict(arrays), 2, {}
    low, high = min(int(array.min()) for array in arrays.values()), max(int(array.max()) for array in arrays.values())
    place, levels = f"{archive.path}: {archive.array}", archive.levels
    if levels is not None:
        if low < 0 or high >= levels:
            raise DataError(f"{place}: expected whole numbers from 0 to {levels - 1}, found {low} to {high}; change 'levels'")
        return {split: array.astype(np.uint8) for split, array in arrays.items()}, levels, {}
    if archive.intensities is None and low >= 0 and high <= 255:
        if (low, high) == (0, 1):
            raise DataError(
                f"{place}: found only 0 and 1, which may be 2 levels or the lowest of 256; say levels: 2 or levels: 256"
            )
        return {split: array.astype(np.uint8) for split, array in arrays.items()}, 256, {}
    ends = archive.intensities or (float(low), float(high))
    if not ends[0] < ends[1]:
        raise DataError(f"{place}: expected values that differ, found {low} everywhere; say their range as 'intensities'")
    scaled = {split: _scaled(array, *ends) for split, array in arrays.items()}
    return scaled, 256, {"intensities": list(ends)}


def _scaled(array: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return values from ``low`` to ``high`` as 0 to 255, rounded; those beyond are clipped."""
    out = np.empty(array.shape, np.uint8)
    for row, values in zip(out, array, strict=True):
        row[...] = np.rint(((values.astype(np.float64) - low) / (high - low)).clip(0, 1) * 255)
    return out


def _arranged_shape(found: Header, layout: str, downscale: int, path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of one example with its channels first, or as a vector.

    :raises DataError: if the array has another number of axes than the layout, is empty, or cannot be downscaled.
    """
    axes = len(found.shape)
    if (layout == "vector" and axes < 2) or (layout != "vector" and axes != len(layout)) or min(found.shape) < 1:
        raise DataError(
            f"{path}: {name}: expected an array of layout {layout}, found the shape {found.shape}; {_fitting(axes)}"
        )
    if found.dtype.kind not in "bfiu":
        raise DataError(f"{path}: {name}: expected numbers or bools, found {found.dtype}; name another as 'array'")
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


def space(archive: Archive, prepared: Preparation) -> Space:
    """Return the space of one example, by the headers of all arrays of data.

    :raises DataError: if an array is missing, does not fit the layout, or does not fit the first.
    """
    path = archive.file()
    found = {name: header(path, name) for name, _ in archive.arrays.values()}
    shapes = {name: _arranged_shape(entry, archive.layout, archive.downscale, path, name) for name, entry in found.items()}
    _ask_for_layout(found[archive.array], archive, path)
    shape, dtype = shapes[archive.array], found[archive.array].dtype
    for name in found:
        if (shapes[name], found[name].dtype) != (shape, dtype):
            raise DataError(
                f"{path}: {name}: expected {dtype} of {shape} as in {archive.array!r}, "
                f"found {found[name].dtype} of {shapes[name]}"
            )
    if dtype.kind != "f":
        if dtype.kind == "b" and archive.levels not in (None, 2):
            raise DataError(f"{path}: {archive.array}: bools have 2 levels, found levels: {archive.levels}; leave it out")
        return prepared.space(shape, 2 if dtype.kind == "b" else archive.levels or 256)
    if prepared != Preparation(seed=prepared.seed) or archive.levels is not None or archive.intensities is not None:
        raise DataError(
            f"{path}: {archive.array}: expected whole numbers or bools to prepare, found {dtype}; floats are taken as they are"
        )
    return Real(shape)


def _fitting(axes: int) -> str:
    fitting = [layout for layout in LAYOUTS if len(layout) == axes and layout != "vector"]
    return f"say layout: {' or '.join(fitting)}, or vector" if fitting else "change 'layout'"


def _ask_for_layout(found: Header, archive: Archive, path: Path) -> None:
    """Refuse an array that may have its channels last, where nothing says that they are first.

    :raises DataError: if the last axis could be channels and the second could not.
    """
    second, last = found.shape[1], found.shape[-1]
    if archive.guessed and archive.layout == "NCHW" and last in CHANNELS and second not in CHANNELS:
        raise DataError(
            f"{path}: {archive.array}: the shape {found.shape} has {last} last, which may be the channels; "
            "say layout: NHWC, or layout: NCHW if it is as you want it"
        )
