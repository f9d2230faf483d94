"""Finding and opening files that may be missing, cut off, damaged or hostile."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from genframe import DataError

from .limits import FIRST, LARGEST, BoundedGzip, check_size

__all__ = ["existing_file", "existing_folder", "full_path", "opened"]


def full_path(path: Path) -> Path:
    """Return the absolute path, with ``~`` expanded, seen from the current directory.

    :raises DataError: if there is no such home.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"{path}: {error}") from None


def existing_file(path: Path, hint: str) -> Path:
    """Return the full path of a file.

    :raises DataError: if there is none; ``hint`` says what would do.
    """
    path = full_path(path)
    if not path.is_file():
        raise DataError(f"{path}: expected a file, found {_found(path)}; {hint}")
    return path


def existing_folder(path: Path, hint: str) -> Path:
    """Return the full path of a folder.

    :raises DataError: if there is none; ``hint`` says what would do.
    """
    path = full_path(path)
    if not path.is_dir():
        raise DataError(f"{path}: expected a folder, found {_found(path)}; {hint}")
    return path


def _found(path: Path) -> str:
    if not path.exists():
        return "nothing"
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "something that is neither file nor folder"


@contextmanager
def opened(path: Path, *, bounded: bool = True) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it if it is gzip by its first two bytes.

    Where it is ``bounded``, a file is refused that gives more than 2 GiB or more than fits into memory, and a gzip stream that
    grows as no text does, at once where that can be seen. A caller that knows how many bytes there must be has its own bound.

    :raises DataError: for whatever goes wrong while it is read.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if bounded and not zipped:
                check_size(path, path.stat().st_size)
            with _unpacked(raw, path, bounded) if zipped else nullcontext(raw) as stream:
                yield stream
    except EOFError:
        raise DataError(f"{path}: expected a whole gzip stream, found one that is cut off; copy the file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a sound gzip stream, found a damaged one ({error}); copy the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _unpacked(raw: IO[bytes], path: Path, bounded: bool) -> IO[bytes]:
    if not bounded:
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if _last_size(raw) > LARGEST:  # it may be damaged as well: count, which takes seconds where parsing takes minutes
        counted = BoundedGzip(raw, path)
        while counted.read(FIRST):
            pass
        raw.seek(0)
    stream = io.BufferedReader(BoundedGzip(raw, path), FIRST)
    stream.peek(1)  # gives so many bytes that a bomb is found before a line of it is parsed
    return stream


def _last_size(raw: IO[bytes]) -> int:
    """Return how many bytes the last part of a gzip stream gives, by its last four bytes, if it is whole."""
    raw.seek(-min(4, raw.seek(0, 2)), 2)
    size = int.from_bytes(raw.read(4), "little")
    raw.seek(0)
    return size
