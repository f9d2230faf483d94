"""Packing a folder of pictures into tar files with an index, so that any of them can be read by its place. No torch."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from genframe import DataError, StorageError
from genframe.cache import progress
from genframe.output.files import storing
from genframe.types import readable

from .decoding import Pictures, decoded
from .workers import available_cores

__all__ = ["HEAD", "INDEX", "VERSION", "Sample", "pack"]

VERSION: Final = 1
INDEX: Final = "index.jsonl"
HEAD: Final = "index.json"
BLOCK: Final = 512
SHOWN: Final = 20
SPARE: Final = 1 << 26


@dataclass(frozen=True)
class Sample:
    """A picture to pack: its file, its name below the folder, its split, and its class or caption."""

    file: Path
    name: str
    split: str
    label: int | None = None
    caption: str | None = None


def pack(samples: Sequence[Sample], classes: Sequence[str], out: Path, *, per_shard: int, skip: bool = False) -> dict[str, Any]:
    """Write the pictures, as they are, into ``out/00000.tar`` and so on, and the index last; return the index's head.

    The tar files are those of webdataset: of each picture the members are ``KEY.jpg``, and ``KEY.txt`` (caption) or ``KEY.cls``
    (class). Each picture is decoded once to see whether that can be done.

    :raises DataError: with the pictures that cannot be read, unless they are skipped.
    :raises StorageError: if the folder holds something else, or the volume has no room.
    """
    under_way = _made(out, sum(sample.file.stat().st_size + 4 * BLOCK for sample in samples))
    damaged: dict[str, str] = {}
    lines: list[str] = []
    shown = progress()
    shown.begin("pack", len(samples), 0, "picture")
    with _Shards(under_way, per_shard) as shards:
        for number, (sample, content) in enumerate(_read(samples)):
            if isinstance(content, bytes):
                lines.append(json.dumps(shards.add(len(lines), sample, content, classes)))
            else:
                damaged[sample.name] = str(content)
            shown.advance(number + 1)
    if damaged and not (skip and lines):
        shutil.rmtree(under_way)
        _refuse(damaged, len(samples))
    index = ("\n".join(lines) + "\n").encode()
    head = {
        "genframe_shards": VERSION,
        "count": len(lines),
        "splits": Counter(json.loads(line)["split"] for line in lines),
        "classes": [*classes],
        "captions": any(sample.caption is not None for sample in samples),
        "shards": shards.sizes,
        "skipped": [*damaged],
        "digest": hashlib.sha256(index).hexdigest(),
    }
    _write(under_way / INDEX, index)
    _write(under_way / HEAD, json.dumps(head, indent=1).encode())
    with storing(out):
        if out.is_dir():
            out.rmdir()  # it is empty
        under_way.rename(out)
    return head


def _refuse(damaged: Mapping[str, str], count: int) -> None:
    some = [f"  {name}: {reason}" for name, reason in [*damaged.items()][:SHOWN]]
    more = [f"  and {len(damaged) - SHOWN} more"] if len(damaged) > SHOWN else []
    first = f"{len(damaged)} of {count} pictures cannot be read; repair or remove them, or say --skip-damaged"
    raise DataError("\n".join([first, *some, *more]))


def _made(out: Path, needed: int) -> Path:
    """Return the folder beside ``out`` that takes its name once it is whole.

    :raises StorageError: if there is anything in either already, or too little room.
    """
    under_way = out.with_name(f"{out.name}.partial")
    with storing(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise StorageError(f"{out} is there already, and not an empty folder; name another one")
        if under_way.exists():
            raise StorageError(f"{under_way} was left by a packing that was stopped; remove it")
        under_way.mkdir(parents=True)
        free = shutil.disk_usage(under_way).free
        if needed > free - SPARE:
            under_way.rmdir()
            raise StorageError(f"{out}: the shards need {readable(needed)}, and the volume has {readable(free)}")
    return under_way


def _write(path: Path, content: bytes) -> None:
    with storing(path):
        path.write_bytes(content)


def _read(samples: Sequence[Sample]) -> Iterator[tuple[Sample, bytes | Exception]]:
    """Yield each picture's bytes, or why it cannot be decoded; a few ahead, by threads."""
    from PIL import UnidentifiedImageError

    tried = Pictures((32, 32))

    def read(sample: Sample) -> bytes | Exception:
        try:
            content = sample.file.read_bytes()
            decoded(io.BytesIO(content), tried)
        except UnidentifiedImageError:
            return ValueError("no picture of a format that is read")
        except Exception as error:  # a decoder may fail in any way on a file that is damaged
            return error
        return content

    ahead = 64
    with ThreadPoolExecutor(available_cores()) as threads:
        waiting = [threads.submit(read, sample) for sample in samples[:ahead]]
        for number, sample in enumerate(samples):
            found = waiting[number].result()
            waiting[number] = None  # type: ignore[call-overload]  # so that its bytes can go
            if number + ahead < len(samples):
                waiting.append(threads.submit(read, samples[number + ahead]))
            yield sample, found


class _Shards:
    """Tar files of up to so many pictures each."""

    def __init__(self, out: Path, per_shard: int) -> None:
        self.out, self.per_shard = out, per_shard
        self.sizes: list[int] = []
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, number: int, sample: Sample, content: bytes, classes: Sequence[str]) -> Mapping[str, Any]:
        """Add a picture with what lies beside it, and return its line of the index."""
        try:
            if number % self.per_shard == 0:
                self._close()
                path = self.out / f"{number // self.per_shard:05}.tar"
                self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115  # closed when it is full
            key = f"{number:08}"
            line: dict[str, Any] = {"name": sample.name, "split": sample.split, "shard": number // self.per_shard}
            line |= self._member(f"{key}{sample.file.suffix.lower()}", content)
            if sample.label is not None:
                self._member(f"{key}.cls", classes[sample.label].encode("utf-8", "surrogateescape"))
                line["label"] = sample.label
            if sample.caption is not None:
                self._member(f"{key}.txt", sample.caption.encode())
                line["caption"] = sample.caption
            return line
        except OSError as error:
            raise StorageError(f"{self.out} cannot be written: {error.strerror or error}") from error

    def _member(self, name: str, content: bytes) -> dict[str, int]:
        """Write a member, and return where its bytes lie."""
        assert self._tar is not None
        assert self._tar.fileobj is not None
        info = tarfile.TarInfo(name)
        info.size = len(content)
        offset = self._tar.offset + BLOCK
        self._tar.addfile(info, io.BytesIO(content))
        return {"offset": offset, "size": len(content), "crc": zlib.crc32(content)}

    def _close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self.sizes.append((self.out / f"{len(self.sizes):05}.tar").stat().st_size)
            self._tar = None
