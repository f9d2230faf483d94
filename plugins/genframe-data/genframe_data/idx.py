"""idx files, the format of MNIST: a magic number, big-endian sizes, then unsigned bytes. LeCun et al. 1998.

Memory grows with what the file holds, not with what its header announces, and no more is decompressed than
the header announces.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from genframe import DataError

from .files import Unpacked, existing_folder, opened

__all__ = ["IMAGES", "LABELS", "find", "read", "sizes"]

IMAGES: Final = "images-idx3-ubyte"
LABELS: Final = "labels-idx1-ubyte"
CHUNK: Final = 1 << 20


def find(folder: Path, prefix: str, kind: str) -> Path:
    """Return the file ``<prefix>-<kind>`` in the folder, plain or with ``.gz``.

    :raises DataError: if there is neither.
    """
    name = f"{prefix}-{kind}"
    folder = existing_folder(folder, f"give the folder that holds {name} or {name}.gz as 'path'")
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder}: expected {name} or {name}.gz in it, found neither; put one there or change 'path'")


def sizes(path: Path, axes: int) -> tuple[int, ...]:
    """Return the sizes that the header announces, after checking that the file is one of bytes with so many axes.

    :raises DataError: if it is not.
    """
    with opened(path) as stream:
        return _header(stream, path, axes)


def read(path: Path, axes: int) -> tuple[tuple[int, ...], bytearray]:
    """Return the sizes and the content.

    :raises DataError: if the file is not what its header says.
    """
    with opened(path) as stream:
        shape = _header(stream, path, axes)
        expected = math.prod(shape)
        content = bytearray()
        while chunk := stream.read(min(CHUNK, expected - len(content))):
            content += chunk
        if len(content) < expected:
            raise DataError(
                f"{path}: expected {expected} bytes of data by its header, found {len(content)}; copy the file again"
            )
        if stream.read(1):
            raise DataError(f"{path}: expected {expected} bytes of data by its header, found more; it is not one idx file")
    return shape, content


def _header(stream: Unpacked, path: Path, axes: int) -> tuple[int, ...]:
    size = 4 + 4 * axes
    header = stream.read(size)
    if len(header) < size:
        raise DataError(f"{path}: expected a header of {size} bytes, found {len(header)}")
    magic, expected = int.from_bytes(header[:4], "big"), 0x0800 + axes
    if magic != expected:
        raise DataError(
            f"{path}: expected the magic number {expected:#010x} (unsigned bytes, {axes} axes), found {magic:#010x}; "
            "is it the right file?"
        )
    shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, size, 4))
    if 0 in shape:
        raise DataError(f"{path}: expected sizes of at least 1, found {shape}")
    return shape
