"""Pictures of tar files, read by their places: a picture is one read, and is decoded when its batch is prepared."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from genframe import Categorical, DataError
from genframe.cache import cache_key
from genframe.types import Report

from .decoding import Pictures
from .encoded import EncodedRows
from .files import existing_folder
from .packing import HEAD, INDEX, VERSION
from .preparation import Preparation

if TYPE_CHECKING:
    from genframe import Dataset

    from .splits import Part

__all__ = ["Head", "ShardRows", "load_shards", "read_head", "report"]

HINT: Final = "give a folder that genframe shards has written as 'path'"
MOST_HEAD: Final = 1 << 26


@dataclass(frozen=True)
class Head:
    """What the index of packed pictures says of all of them."""

    folder: Path
    count: int
    splits: Mapping[str, int]
    classes: tuple[str, ...]
    captions: bool
    shards: tuple[int, ...]
    digest: str


def read_head(folder: Path) -> Head:
    """Return the head of the index; reads nothing else. No torch is needed for it.

    :raises DataError: if there is none, or it is damaged.
    """
    folder = existing_folder(folder, HINT)
    path = folder / HEAD
    try:
        if path.stat().st_size > MOST_HEAD:
            raise ValueError(f"{path.stat().st_size} bytes")
        found = json.loads(path.read_bytes())
        if found["genframe_shards"] != VERSION:
            raise ValueError(f"version {found['genframe_shards']}")
        head = Head(
            folder,
            int(found["count"]),
            {str(name): int(count) for name, count in found["splits"].items()},
            tuple(map(str, found["classes"])),
            found["captions"] is True,
            tuple(map(int, found["shards"])),
            str(found["digest"]),
        )
    except OSError as error:
        raise DataError(f"{path}: expected an index, found nothing that can be read ({error.strerror}); {HINT}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: expected the index of packed pictures, found {error}; pack them again") from None
    return head


def report(head: Head) -> Report:
    """Return what there is to read."""
    beside = " with captions" if head.captions else f" of {len(head.classes)} classes" if head.classes else ""
    return Report(f"{head.count} pictures{beside} in {len(head.shards)} shards")


class ShardRows(EncodedRows):
    """Pictures in tar files, read by their places."""

    def __init__(self, head: Head, index: Sequence[Mapping[str, Any]], how: Pictures) -> None:
        import numpy as np

        super().__init__(len(index), how)
        self.head, self.names = head, [str(line["name"]) for line in index]
        fields = ("shard", "offset", "size", "crc")
        self.places = np.array([[line[field] for field in fields] for line in index], np.int64).reshape(-1, len(fields))
        self._files: dict[int, Any] = {}
        self._turn = threading.Lock()

    def content(self, index: int) -> bytes:
        """Return the file of a picture, by one read; its checksum is compared."""
        shard, offset, size, crc = self.places[index].tolist()
        content = self._bytes(shard, offset, size)
        if len(content) != size or zlib.crc32(content) != crc:
            raise DataError(f"{self.called(index)} at byte {offset} is damaged; pack the pictures again")
        return content

    def called(self, index: int) -> str:
        """Return the tar file and the picture's name in it."""
        return f"{self._path(int(self.places[index, 0]))}: {self.names[index]}"

    def _path(self, shard: int) -> Path:
        return self.head.folder / f"{shard:05}.tar"

    def _bytes(self, shard: int, offset: int, size: int) -> bytes:
        try:
            with self._turn:
                if shard not in self._files:
                    self._files[shard] = self._path(shard).open("rb", buffering=0)
                file = self._files[shard]
                if not hasattr(os, "pread"):  # on Windows: by a seek, one thread at a time
                    file.seek(offset)
                    return bytes(file.read(size))
            return os.pread(file.fileno(), size, offset)
        except OSError as error:
            raise DataError(f"{self._path(shard)}: cannot be read: {error.strerror or error}") from None

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            file.close()


def load_shards(
    head: Head, how: Pictures, prepared: Preparation, *, labels: bool, caption_length: int, limit: int | None
) -> Dataset:
    """Read the index of packed pictures, and return the dataset.

    :raises DataError: if the index is damaged, a tar file is missing or cut off, or a caption is too long.
    """
    from genframe.roles import select

    from .splits import image_dataset

    index = _index(head)
    _check_files(head)
    rows = ShardRows(head, index, how)
    parts = {}
    for split in ("train", "validation", "test"):
        places = [place for place, line in enumerate(index) if line["split"] == split][:limit]
        if places:
            parts[split] = _part(rows, index, places, labels=labels, caption_length=caption_length)
    classes = Categorical((caption_length,), 256) if caption_length else Categorical((), len(head.classes)) if labels else None
    digest = cache_key(head.digest, asdict(how))
    data = image_dataset("data/shards", parts, 256, classes, (select(rows, slice(0, 1)),), prepared, digest)
    return replace(data, report=report(head), classes=head.classes if labels else ())


def _index(head: Head) -> list[Mapping[str, Any]]:
    path = head.folder / INDEX
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(content).hexdigest() != head.digest:
        raise DataError(f"{path}: is damaged, or of other shards; pack the pictures again")
    return [json.loads(line) for line in content.decode().splitlines()]


def _check_files(head: Head) -> None:
    for number, size in enumerate(head.shards):
        path = head.folder / f"{number:05}.tar"
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            there = "nothing" if found is None else f"{found} bytes"
            raise DataError(f"{path}: expected {size} bytes, found {there}; copy the file again")


def _part(
    rows: ShardRows, index: Sequence[Mapping[str, Any]], places: Sequence[int], *, labels: bool, caption_length: int
) -> Part:
    import torch

    from genframe.roles import select

    from .pictures import values_as_tensor
    from .splits import Part

    values: Any = None
    if caption_length:
        values = [str(index[place]["caption"]).encode() for place in places]
        longest = max(map(len, values))
        if longest > caption_length:
            raise DataError(f"{rows.head.folder}: a caption has {longest} bytes; say caption_length: {longest}")
        values = [value.ljust(caption_length, b"\0") for value in values]
    elif labels:
        values = [int(index[place]["label"]) for place in places]
    return Part(select(rows, torch.tensor(places)), values_as_tensor(values) if values is not None else None)
