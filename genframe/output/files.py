"""Small files, written whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..types import StorageError

__all__ = ["read_regular", "storing", "write_whole"]


@contextmanager
def storing(path: Path, problem: str = "cannot be written") -> Iterator[None]:
    """Turn what the volume refuses into one clear error.

    :raises StorageError: naming the path, the problem and the reason.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} {problem}: {error.strerror or error}") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file by way of a temporary one beside it, synced before it takes the name.

    :raises StorageError: if the volume refuses; a file that was there is as it was.
    """
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    with storing(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file; a pipe in its place would wait for a writer.

    :raises OSError: if it is not one, is longer than ``most`` bytes, or cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is not a regular file")
    if status.st_size > most:
        raise OSError(f"{path} has {status.st_size} bytes, more than {most}")
    return path.read_bytes()
