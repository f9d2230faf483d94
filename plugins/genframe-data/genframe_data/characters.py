"""Text files and the characters that occur in them. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from genframe import DataError

from .files import existing_file, opened

__all__ = ["alphabet", "content", "existing", "text"]

LARGEST: Final = 1 << 31
CHUNK: Final = 1 << 20


def existing(path: Path) -> Path:
    """Return the full path of a text file.

    :raises DataError: if there is none.
    """
    return existing_file(path, "give a text file as 'path'")


def content(path: Path) -> bytes:
    """Return the file's bytes, decompressed.

    :raises DataError: if it cannot be read, or is larger than 2 GiB.
    """
    path = existing(path)
    with opened(path) as stream:
        found = bytearray()
        while chunk := stream.read(CHUNK):
            found += chunk
            if len(found) > LARGEST:
                raise DataError(f"{path}: expected at most {LARGEST} bytes of text, found more; give a part of it")
    return bytes(found)


def text(path: Path) -> str:
    """Return the file as text.

    :raises DataError: if it is not UTF-8.
    """
    try:
        return content(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected text in UTF-8, found the byte {error.object[error.start]:#04x} at {error.start}; "
            "convert the file, or say vocabulary: bytes"
        ) from None


def alphabet(path: Path) -> str:
    """Return the characters that occur in a file, in the order of Unicode.

    :raises DataError: if there are not two of them.
    """
    found = "".join(sorted(set(text(path))))
    if len(found) < 2:
        raise DataError(f"{path}: expected a text of two different characters at least, found {len(found)}; give a longer one")
    return found
