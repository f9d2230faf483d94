"""Finding and opening files that may be missing, cut off, damaged or hostile."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from genframe import DataError

__all__ = ["LARGE", "SUSPICIOUS", "Unpacked", "existing_file", "existing_folder", "full_path", "opened", "require_memory"]

LARGE: Final = 1 << 26
SUSPICIOUS: Final = 300
"""More than ``LARGE`` bytes from less than one in so many packed ones are a bomb, no data."""


class Unpacked(Protocol):
    """A stream of bytes from a file, decompressed where it was packed."""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, fewer at the end."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, or so many bytes of it."""


PROBED: Final = 1 << 20  # bytes
SETTLED: Final = 1 << 23  # before so many, what is read ahead of the packed bytes hides the ratio


class _Bounded:
    """A gzip stream that is refused once it has become absurdly larger than the file it comes from."""

    def __init__(self, stream: gzip.GzipFile, raw: IO[bytes], path: Path) -> None:
        self.stream, self.raw, self.path, self.total = stream, raw, path, 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        return self._counted(self.stream.read(size))

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line."""
        return self._counted(self.stream.readline(size))

    def _counted(self, content: bytes) -> bytes:
        self.total += len(content)
        if self.total > LARGE and self.total > SUSPICIOUS * self.raw.tell():
            raise DataError(
                f"{self.path}: expected data, found a gzip stream of nothing but repeats, over {LARGE} bytes of them"
            )
        return content


def require_memory(needed: int, what: str) -> None:
    """Refuse what does not fit into memory, before any of it is allocated.

    :raises DataError: if more bytes are needed than there are.
    """
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return
    if needed > there:
        raise DataError(f"{what}: needs {needed} bytes of memory, found {there}; give a part of it")


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


def _refuse_repeats(stream: _Bounded) -> None:
    """Read on as long as a stream unpacks to nothing but repeats: it is refused before anything parses it, line by line.

    :raises DataError: where it goes on so.
    """
    while stream.read(PROBED) and (stream.total < SETTLED or stream.total > SUSPICIOUS * stream.raw.tell()):
        pass


def _found(path: Path) -> str:
    if not path.exists():
        return "nothing"
    if path.is_dir():
        return "a folder"
    return "a file" if path.is_file() else "something that is neither file nor folder"


@contextmanager
def opened(path: Path) -> Iterator[Unpacked]:
    """Open a file, decompressing it if it is gzip by its first two bytes.

    :raises DataError: for whatever goes wrong while it is read.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if zipped:
                _refuse_repeats(_Bounded(gzip.GzipFile(fileobj=raw), raw, path))
                raw.seek(0)
            yield _Bounded(gzip.GzipFile(fileobj=raw), raw, path) if zipped else raw
    except EOFError:
        raise DataError(f"{path}: expected a whole gzip stream, found one that is cut off; copy the file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a sound gzip stream, found a damaged one ({error}); copy the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
