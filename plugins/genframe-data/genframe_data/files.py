"""Finding and opening files that may be missing, cut off, damaged or hostile."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from genframe import DataError

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
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it if it is gzip by its first two bytes.

    :raises DataError: for whatever goes wrong while it is read.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if zipped else nullcontext(raw) as stream:
                yield stream  # type: ignore[misc]
    except EOFError:
        raise DataError(f"{path}: expected a whole gzip stream, found one that is cut off; copy the file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a sound gzip stream, found a damaged one ({error}); copy the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
