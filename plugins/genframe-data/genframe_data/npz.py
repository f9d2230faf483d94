"""Arrays in npz archives: their headers alone, or whole; never pickled objects."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from genframe import DataError

from .files import LARGE, SUSPICIOUS, existing_file, require_memory

__all__ = ["Archive", "Header", "header", "names", "read"]

METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DEFLATE_LIMIT: Final = 1032
"""Deflate never expands a byte to more than this many (zlib's technical details)."""


@dataclass(frozen=True)
class Archive:
    """Which arrays of an archive are data, and how they lie: ``arrays`` by split, each with its labels' name.

    ``levels`` are those of whole numbers, ``intensities`` the range of wide ones that becomes 0 to 255. Where the layout is
    ``guessed``, a shape that fits another one better is refused.
    """

    path: Path
    arrays: Mapping[str, tuple[str, str | None]]
    layout: str = "NCHW"
    downscale: int = 1
    group_array: str | None = None
    levels: int | None = None
    intensities: tuple[float, float] | None = None
    guessed: bool = False

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
            entries = zipped.namelist()
            if f"{name}.npy" not in entries:
                known = ", ".join(entry.removesuffix(".npy") for entry in entries[:20])
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
    if expected > LARGE and expected > SUSPICIOUS * info.compress_size:
        raise DataError(
            f"{path}: {name}: expected data, found {expected} bytes packed into {info.compress_size}: nothing but repeats"
        )
    require_memory(expected, f"{path}: {name}")
    return Header(shape, dtype)


def names(path: Path) -> list[str]:
    """Return the names of the archive's arrays.

    :raises DataError: if it is none.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            return [entry.removesuffix(".npy") for entry in zipped.namelist() if entry.endswith(".npy")]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: expected an npz archive, found none that can be read ({error})") from None
