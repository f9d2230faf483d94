"""Entries of the cache: finding them, listing them, removing them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..output.files import read_regular, storing
from ..types import StorageError
from .place import cache_folder, cache_limit

if TYPE_CHECKING:
    from .stored import StoredRows

__all__ = ["Entry", "cache_key", "clear_cache", "entries", "find_entry", "keep_within_limit"]

MANIFEST: Final = "entry.json"
ROWS: Final = "rows.bin"
SUMS: Final = "sums.bin"
PARTIAL: Final = ".partial"
FORMAT: Final = 1
MOST_MANIFEST: Final = 1 << 28


def cache_key(*content: Any) -> str:
    """Return 16 hex digits that stand for plain data."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Entry:
    """Rows that are kept, with what is known about them: ``about`` is plain data of whoever built them."""

    folder: Path
    shape: tuple[int, ...]
    dtype: str
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name by which commands know the entry: ``pictures/0123...-4567...``."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    def rows(self) -> StoredRows:
        """Return the rows.

        :raises StorageError: if the entry was removed meanwhile.
        """
        import numpy as np

        from .stored import StoredRows

        with storing(self.folder, "cannot be read"):
            sums = np.frombuffer((self.folder / SUMS).read_bytes(), np.uint32)
            os.utime(self.folder)  # used now
        hint = f"remove it, and it is built again: genframe cache clear {self.name}"
        return StoredRows(self.folder / ROWS, self.shape, self.dtype, sums, hint)

    @property
    def bytes(self) -> int:
        """What the entry takes on disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    @property
    def used(self) -> float:
        """When the entry was last used, in seconds since 1970."""
        return self.folder.stat().st_mtime

    def remove(self) -> None:
        """Remove the entry.

        :raises StorageError: if the volume refuses.
        """
        with storing(self.folder, "cannot be removed"):
            (self.folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(self.folder)


def find_entry(kind: str, key: str) -> Entry | None:
    """Return the entry, or ``None`` if there is none that is whole; a damaged one is removed."""
    return _read(cache_folder() / kind / key)


def _read(folder: Path) -> Entry | None:
    """Return the entry in a folder; one whose files do not fit its manifest is removed, for it can be built again."""
    manifest = folder / MANIFEST
    try:
        found = json.loads(read_regular(manifest, MOST_MANIFEST))
        entry = Entry(folder, tuple(found["shape"]), found["dtype"], found["about"])
        sums = (folder / SUMS).read_bytes()
        whole = (
            found["format"] == FORMAT
            and hashlib.sha256(sums).hexdigest() == found["sums"]
            and len(sums) == 4 * entry.shape[0]
            and (folder / ROWS).stat().st_size == found["bytes"]
        )
    except FileNotFoundError:
        whole = not manifest.exists()
        entry = None
    except (OSError, ValueError, LookupError, TypeError):
        whole, entry = False, None
    if not whole and folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return entry


def entries(kind: str = "*") -> Iterator[Entry]:
    """Yield the whole entries of a kind, or all, by their names."""
    for manifest in sorted(cache_folder().glob(f"{kind}/*/{MANIFEST}")):
        found = _read(manifest.parent) if manifest.parent.suffix != PARTIAL else None
        if found is not None:
            yield found


def clear_cache(name: str | None = None) -> list[str]:
    """Remove an entry, or all, and what builds left that were stopped; return the names of what was removed.

    :raises StorageError: if there is no such entry, or the volume refuses.
    """
    root = cache_folder()
    found = sorted(path for path in root.glob("*/*") if path.is_dir())
    chosen = [path for path in found if name in (None, path.relative_to(root).as_posix())]
    if name is not None and not chosen:
        there = ", ".join(path.relative_to(root).as_posix() for path in found) or "nothing"
        raise StorageError(f"the cache has no entry {name!r}; it has {there}")
    for path in chosen:
        with storing(path, "cannot be removed"):
            shutil.rmtree(path)
    return [path.relative_to(root).as_posix() for path in chosen]


def keep_within_limit(keep: Path, needed: int = 0) -> list[str]:
    """Remove the entries that were not used for longest, until there is room for ``needed`` more bytes; return their names.

    :raises StorageError: if that alone is more than the cache may hold.
    """
    limit = cache_limit()
    if needed > limit:
        raise StorageError(
            f"the cache may hold {limit} bytes, and this would take {needed}; allow more by GENFRAME_CACHE_LIMIT"
        )
    others = sorted((entry for entry in entries() if entry.folder != keep), key=lambda entry: entry.used)
    total, removed = needed + sum(entry.bytes for entry in others), []
    for entry in others:
        if total <= limit:
            break
        total -= entry.bytes
        entry.remove()
        removed.append(entry.name)
    return removed
