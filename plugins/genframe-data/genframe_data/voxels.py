"""What files of voxels say of themselves: sizes by their headers. No torch, and numpy for archives alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from genframe import DataError

from .files import existing_file
from .folders import Scan, scan

__all__ = ["BINVOX", "MOST", "header", "packed_shape", "scanned", "shape_of"]

BINVOX: Final = ".binvox"
MOST: Final = 1 << 30
"""Voxels of a volume: binvox itself goes up to 1024 along each side."""

LONGEST: Final = 1 << 12


def scanned(folder: Path) -> Scan:
    """Return the binvox files in a folder and its subfolders.

    :raises DataError: if there are none.
    """
    return scan(folder, frozenset({BINVOX}))


def header(path: Path) -> tuple[tuple[int, int, int], int]:
    """Return the size of a binvox file along x, y and z, and where its data begin.

    :raises DataError: if it is none.
    """
    try:
        with path.open("rb") as file:
            head = file.read(LONGEST)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    lines, mark, _ = head.partition(b"data\n")
    words = [line.split() for line in lines.decode("ascii", errors="replace").splitlines()]
    sizes = [line[1:] for line in words if line[:1] == ["dim"]]
    sound = bool(mark) and words[:1] == [["#binvox", "1"]] and len(sizes) == 1 and len(sizes[0]) == 3
    if not sound or not all(size.isascii() and size.isdigit() and len(size) < 6 for size in sizes[0]):
        raise DataError(f"{path}: expected the header of a binvox file, found none")
    x, z, y = map(int, sizes[0])  # the file names depth, height and width in the order of its data
    if not 0 < x * y * z <= MOST:
        raise DataError(f"{path}: expected 1 to {MOST} voxels, found {x}×{y}×{z}")
    return (x, y, z), len(lines) + len(mark)


def packed_shape(path: Path, array: str) -> tuple[int, ...] | None:
    """Return the shape (N, D, H, W) of bits packed into bytes (N, bytes), which the array ``shape`` has; else ``None``.

    :raises DataError: if they do not fit.
    """
    from . import npz

    found = npz.header(path, array)
    if len(found.shape) != 2:
        return None
    if "shape" not in npz.names(path):
        raise DataError(f"{path}: {array}: bits that are packed need an array 'shape' of four numbers beside them, found none")
    shape = tuple(int(size) for size in npz.read(path, "shape").flatten())
    if len(shape) != 4 or shape[0] != found.shape[0] or min(shape) < 1 or -(-math.prod(shape[1:]) // 8) != found.shape[1]:
        raise DataError(f"{path}: {array}: expected bits of {shape}, found bytes {found.shape}; they do not fit")
    return shape


def shape_of(path: Path, array: str) -> tuple[int, ...]:
    """Return the shape of a volume (D, H, W), by the headers of the files.

    :raises DataError: if there is no volume, or the array is none of volumes.
    """
    if path.suffix != ".npz":
        found = scanned(path)
        for name in found.pictures:
            try:
                return header(found.folder / name)[0]
            except DataError:
                continue
        raise DataError(f"{found.folder}: expected {BINVOX} files, found none with a sound header")
    from . import npz

    existing_file(path, "give a folder or an archive as 'path'")
    packed = packed_shape(path, array)
    if packed is not None:
        return packed[1:]
    shape = npz.header(path, array).shape
    if len(shape) != 4:
        raise DataError(
            f"{path}: {array}: expected volumes of the shape (N, depth, height, width), found {shape}; use data/npz"
        )
    return shape[1:]
