"""How much a file may give once it is decompressed: bounds that are checked before the bytes are there. No torch."""

from __future__ import annotations

import gzip
import io
import resource
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from genframe import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["FIRST", "LARGEST", "MOST_TIMES", "BoundedGzip", "check_size", "grows_too_much", "memory_left"]

FIRST: Final = 1 << 24
"""Bytes up to which any gzip stream may grow."""
LARGEST: Final = 1 << 31
MOST_TIMES: Final = 200
"""How many times its size a gzip stream may give. Text in numbers gives 2 to 30 times, the same byte for ever 1,030 times."""
GROUP: Final = Path("/sys/fs/cgroup")


class BoundedGzip(io.RawIOBase):
    """A gzip stream that is refused where it gives too many bytes: in all, or for its size."""

    def __init__(self, raw: IO[bytes], path: Path) -> None:
        self._raw, self._path, self._given = raw, path, 0
        self._stream = gzip.GzipFile(fileobj=raw)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read bytes into the buffer and return how many.

        :raises DataError: if the stream gave too many.
        """
        count = self._stream.readinto(buffer)
        self._given += count
        packed = self._raw.tell()
        if grows_too_much(packed, self._given):
            raise DataError(
                f"{self._path}: expected at most {MOST_TIMES} bytes of text from a byte of gzip, found {self._given} from "
                f"{packed}; if that is right, unpack the file and give it as it is"
            )
        if self._given > LARGEST:
            check_size(self._path, self._given)
        return count


def grows_too_much(packed: int, size: int) -> bool:
    """Return whether so many bytes of a gzip stream give more than those of any dataset."""
    return size >= FIRST and size > MOST_TIMES * packed


def check_size(path: Path, size: int) -> None:
    """Check that so many bytes can be read into memory.

    :raises DataError: if they are more than 2 GiB, or more than there is.
    """
    most = min(LARGEST, memory_left() or LARGEST)
    if size > most:
        raise DataError(
            f"{path}: expected at most {most} bytes of text ({'2 GiB' if most == LARGEST else 'what memory has left'}), "
            f"found {size} or more; give a part of it"
        )


def memory_left() -> int | None:
    """Return how many bytes of memory this process can still get; ``None`` where the system does not tell."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return min((left for left in (_of_system(), _of_group(), None if soft < 0 else soft) if left is not None), default=None)


def _of_system() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return None


def _of_group() -> int | None:
    try:
        return int((GROUP / "memory.max").read_text()) - int((GROUP / "memory.current").read_text())
    except (OSError, ValueError):  # there is no such group, or its limit is "max"
        return None
