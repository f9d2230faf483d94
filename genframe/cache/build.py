"""Building an entry of the cache, so that a build that is stopped is continued and never taken for a whole one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ..output.files import storing, write_whole
from ..types import DataError, StorageError
from .entry import FORMAT, MANIFEST, PARTIAL, ROWS, SUMS, Entry, find_entry, keep_within_limit
from .place import cache_folder
from .telling import progress

__all__ = ["Building", "building"]

JOURNAL: Final = "journal.jsonl"
SPARE: Final = 1 << 26
"""Bytes that a build leaves on the disk."""


class Building:
    """An entry whose rows are being written, block after block in any order; ``notes`` has what each block said of itself.

    ``notes`` are of blocks that are there already, from a build that was stopped, by the block's first row.
    """

    def __init__(self, folder: Path, final: Path, shape: Sequence[int], dtype: str, row_bytes: int) -> None:
        self.folder, self.final, self.shape, self.dtype, self.row_bytes = folder, final, tuple(shape), dtype, row_bytes
        self.sums = np.zeros(self.shape[0], np.uint32)
        self.notes: dict[int, Any] = {}
        with storing(folder, "cannot be made"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / MANIFEST).unlink(missing_ok=True)  # of a build that was stopped at its very end
            self.path.touch()
            if self.path.stat().st_size != self.shape[0] * row_bytes:
                os.truncate(self.path, self.shape[0] * row_bytes)
            self._continue()
            self._journal = (folder / JOURNAL).open("a", encoding="utf-8")

    @property
    def path(self) -> Path:
        """The file of the rows, whose size is that of all of them."""
        return self.folder / ROWS

    def write(self, start: int, rows: NDArray[Any], note: Any = None) -> None:
        """Write a block of rows, of the entry's shape and type, from row ``start`` on.

        :raises StorageError: if the volume refuses.
        """
        content = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
        with storing(self.path), self.path.open("r+b") as file:
            file.seek(start * self.row_bytes)
            file.write(content.data)
        self.wrote(start, [zlib.crc32(row.data) for row in content], note)

    def wrote(self, start: int, sums: Sequence[int], note: Any = None) -> None:
        """Note that somebody has written a block, whose rows have these checksums.

        :raises StorageError: if the volume refuses.
        """
        self.sums[start : start + len(sums)] = sums
        self.notes[start] = note
        with storing(self.path):
            self._journal.write(json.dumps([start, [int(one) for one in sums], note]) + "\n")
            self._journal.flush()

    def _continue(self) -> None:
        """Take over the blocks that a build before this one has finished, each compared with its checksums."""
        try:
            lines = (self.folder / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        except OSError:
            return
        kept = []
        with self.path.open("rb") as file:
            for line in lines:
                try:
                    start, sums, note = json.loads(line)
                    file.seek(start * self.row_bytes)
                    sound = line.endswith("\n") and all(zlib.crc32(file.read(self.row_bytes)) == one for one in sums)
                except (ValueError, TypeError):
                    continue
                if sound and 0 <= start <= start + len(sums) <= self.shape[0]:
                    self.sums[start : start + len(sums)] = sums
                    self.notes[start] = note
                    kept.append(line)
        write_whole(self.folder / JOURNAL, "".join(kept).encode())

    def digest(self, chosen: Sequence[NDArray[np.int64]], dtype: str) -> str:
        """Return what :func:`genframe.roles.data_digest` says of the rows at ``chosen``, one tensor for each of them."""
        digest = hashlib.sha256()
        with storing(self.path, "cannot be read"), self.path.open("rb") as file:
            for rows in chosen:
                digest.update(f"{dtype}{(len(rows), *self.shape[1:])}".encode())
                for row in rows:
                    file.seek(int(row) * self.row_bytes)
                    digest.update(file.read(self.row_bytes))
        return digest.hexdigest()[:16]

    def commit(self, about: Mapping[str, Any]) -> Entry:
        """Make the entry whole, with what is known about it; older entries may have to go.

        :raises StorageError: if the volume refuses; what was built is kept.
        """
        sums, size = self.sums.tobytes(), self.shape[0] * self.row_bytes
        manifest = {
            "format": FORMAT,
            "shape": self.shape,
            "dtype": self.dtype,
            "bytes": size,
            "sums": hashlib.sha256(sums).hexdigest(),
            "about": about,
        }
        with storing(self.folder):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            write_whole(self.folder / SUMS, sums)
            write_whole(self.folder / MANIFEST, json.dumps(manifest).encode())
            self.close()
            shutil.rmtree(self.final, ignore_errors=True)
            self.folder.rename(self.final)
            (self.final / JOURNAL).unlink()
        return Entry(self.final, self.shape, self.dtype, about)

    def close(self) -> None:
        """Close the journal; a build that was not committed can be continued."""
        self._journal.close()


@contextmanager
def building(kind: str, key: str, shape: Sequence[int], dtype: str, row_bytes: int) -> Iterator[Building | Entry]:
    """Give an entry that is to be written, alone among all processes; or the entry, if another process has built it meanwhile.

    :raises StorageError: if it takes more room than there is.
    """
    final = cache_folder() / kind / key
    folder = final.with_name(final.name + PARTIAL)
    with storing(final.parent, "cannot be made"):
        final.parent.mkdir(parents=True, exist_ok=True)
    with _alone(final.with_name(f".{key}.lock")):
        found = find_entry(kind, key)
        if found is not None:
            yield found
            return
        needed = shape[0] * row_bytes
        for name in keep_within_limit(final, needed):
            progress().message(f"removed {name} from the cache, to make room")
        free = shutil.disk_usage(final.parent).free
        if needed - _written(folder / ROWS) > free - SPARE:
            raise StorageError(
                f"{final.parent}: the cache needs {needed} bytes, and the volume has {free}; "
                "free some (genframe cache list), or name another folder in GENFRAME_CACHE"
            )
        under_way = Building(folder, final, shape, dtype, row_bytes)
        try:
            yield under_way
        except DataError:  # it will fail again
            under_way.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            under_way.close()


def _written(path: Path) -> int:
    """Return how much of a file that has its whole size from the start is on the disk already."""
    return getattr(path.stat(), "st_blocks", 0) * 512 if path.exists() else 0


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process builds the same entry."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress().message("another process builds the same entry of the cache; waiting for it")
        lock.acquire()
    except OSError as error:
        raise StorageError(f"{path} cannot be locked: {error.strerror}; name another folder in GENFRAME_CACHE") from error
    try:
        yield
    finally:
        lock.release()
