"""Pictures decoded once, in parallel, into the cache; later starts compare the files and read the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genframe import DataError
from genframe.cache import Building, Entry, building, cache_key, entries, find_entry, progress

from .decoding import Block, Pictures
from .folders import Scan
from .workers import Job, available_cores, decode_all

__all__ = ["KIND", "CachedPictures", "cached_pictures"]

KIND: Final = "pictures"
VERSION: Final = 1
"""Changes when the same file would be decoded to other pixels."""

BLOCK: Final = 64
SHOWN: Final = 20
File = tuple[Any, ...]
"""A picture's name, size and time of change; its SHA-256 too where contents are compared."""


@dataclass(frozen=True)
class CachedPictures:
    """Decoded pictures: for each split the rows of those that could be read, and the reasons why the others could not.

    ``digest`` is of all pixels. ``protocol`` says what a result depends on besides; ``changes`` what has happened to the files
    since they were last decoded.
    """

    entry: Entry
    rows: Mapping[str, NDArray[np.int64]]
    damaged: Mapping[str, Mapping[str, str]]
    digest: str
    protocol: Mapping[str, Any]
    changes: str = ""

    def first(self, split: str) -> int:
        """Return the row of the first picture of a split's folder, whether or not it could be read."""
        counts = {name: len(listed) for name, listed in self.entry.about["files"].items()}
        return sum(counts[name] for name in [*counts][: [*counts].index(split)])


@dataclass
class _Found:
    """What was found while pictures were decoded, by row."""

    damaged: dict[int, str] = field(default_factory=dict)
    transparent: list[int] = field(default_factory=list)
    ends: dict[int, tuple[float, float]] = field(default_factory=dict)

    def add(self, block: Block | Mapping[str, Any]) -> None:
        """Add what a block has found."""
        said = asdict(block) if isinstance(block, Block) else block
        self.damaged |= {int(row): reason for row, reason in said["damaged"].items()}
        self.transparent += said["transparent"]
        self.ends |= {int(row): tuple(ends) for row, ends in said["ends"].items()}

    def note(self, rows: range) -> dict[str, Any]:
        """Return what was found in some rows, as plain data."""
        return {
            "damaged": {row: self.damaged[row] for row in rows if row in self.damaged},
            "transparent": [row for row in self.transparent if row in rows],
            "ends": {row: self.ends[row] for row in rows if row in self.ends},
        }


def cached_pictures(
    scans: Mapping[str, Scan], how: Pictures, *, skip: bool, contents: bool = False, workers: int | None = None
) -> CachedPictures:
    """Return the pictures of each split, from the cache or decoded into it by ``workers`` processes.

    :raises DataError: with every picture that cannot be read, unless they are skipped; if none is left, or if some pictures
        have 8 bits and others more.
    :raises StorageError: if there is no room for the cache.
    """
    files = {split: _files(found, contents) for split, found in scans.items()}
    origin = cache_key(VERSION, asdict(how), [(split, str(found.folder)) for split, found in scans.items()], contents)
    key = f"{origin}-{cache_key(files)}"
    entry, changes = find_entry(KIND, key), ""
    if entry is None:
        former = _former(origin)
        entry = _built(key, scans, files, how, former, workers or available_cores())
        if former is not None:
            changes = _changes(former, files)
            former.remove()
    return replace(_checked(entry, scans, skip=skip), changes=changes)


def _files(found: Scan, contents: bool) -> list[File]:
    stats = found.stats()
    if not contents:
        return [*stats]
    return [(*one, hashlib.sha256((found.folder / one[0]).read_bytes()).hexdigest()) for one in stats]


def _former(origin: str) -> Entry | None:
    """Return the newest entry of the same folder and preparation, with other files."""
    same = [entry for entry in entries(KIND) if entry.folder.name.startswith(f"{origin}-")]
    return max(same, key=lambda entry: entry.used, default=None)


def _listed(files: Mapping[str, Sequence[File]]) -> list[tuple[str, File]]:
    return [(split, tuple(file)) for split, listed in files.items() for file in listed]


def _changes(former: Entry, files: Mapping[str, Sequence[File]]) -> str:
    """Return in words what has happened to the files since the former entry was built."""
    before = {(split, file[0]): file for split, file in _listed(former.about["files"])}
    now = {(split, file[0]): file for split, file in _listed(files)}
    counts = {
        "added": len(now.keys() - before.keys()),
        "removed": len(before.keys() - now.keys()),
        "changed": sum(before[name] != now[name] for name in before.keys() & now.keys()),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    return f"since the pictures were last read: {', '.join(told)}"


def _built(
    key: str, scans: Mapping[str, Scan], files: Mapping[str, Sequence[File]], how: Pictures, former: Entry | None, workers: int
) -> Entry:
    paths = [f"{found.folder}/{name}" for found in scans.values() for name in found.pictures]
    row_bytes = int(np.prod(how.shape))
    with building(KIND, key, (len(paths), *how.shape), "uint8", row_bytes) as under_way:
        if isinstance(under_way, Entry):
            return under_way
        found = _Found()
        for note in under_way.notes.values():
            found.add(note)
        _take_over(under_way, former, files, how, found)
        _decode(under_way, paths, how, found, workers)
        if found.ends:
            low, high = _rescale(under_way, paths, how, found, workers)
        good = _good(files, found.damaged)
        about = {
            "of": ", ".join(dict.fromkeys(str(scan.folder) for scan in scans.values())),
            "files": files,
            "damaged": found.damaged,
            "transparent": bool({*found.transparent} - found.damaged.keys()),
            "background": how.background,
            "intensities": [low, high] if found.ends else None,
            "digest": under_way.digest([*good.values()], "torch.uint8"),
        }
        return under_way.commit(about)


def _good(files: Mapping[str, Sequence[File]], damaged: Mapping[int, str]) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each split that could be read."""
    ends = np.cumsum([0, *map(len, files.values())])
    return {
        split: np.setdiff1d(np.arange(ends[number], ends[number + 1]), np.array([*damaged], np.int64))
        for number, split in enumerate(files)
    }


def _take_over(
    under_way: Building, former: Entry | None, files: Mapping[str, Sequence[File]], how: Pictures, found: _Found
) -> None:
    """Copy the pictures that are as they were from the former entry, a block at a time."""
    if former is None or (former.about["intensities"] is not None and how.intensities is None):
        return  # the range of greys is that of all pictures, and may be another now
    rows = {(split, file): row for row, (split, file) in enumerate(_listed(former.about["files"]))}
    damaged = {int(row) for row in former.about["damaged"]}
    old = [rows.get(name, -1) for name in _listed(files)]
    pixels = former.rows()
    for start in range(0, len(old), BLOCK):
        block = old[start : start + BLOCK]
        if start in under_way.notes or min(block) < 0 or damaged & {*block}:
            continue
        try:
            copied = pixels[_indices(block)].numpy()
        except DataError:  # the former entry is damaged
            return
        told: dict[str, Any] = {"damaged": {}, "transparent": [start] if former.about["transparent"] else [], "ends": {}}
        found.add(told)
        under_way.write(start, copied, told)


def _indices(rows: Sequence[int]) -> Any:
    import torch

    return torch.tensor(rows)


def _jobs(count: int, paths: Sequence[str], done: Mapping[int, Any]) -> Iterator[Job]:
    starts = sorted({*range(0, count, BLOCK)} - done.keys())
    return ((start, [*paths[start : start + BLOCK]]) for start in starts)


def _decode(under_way: Building, paths: Sequence[str], how: Pictures, found: _Found, workers: int) -> None:
    """Decode the blocks that are missing."""
    done = sum(min(BLOCK, len(paths) - start) for start in under_way.notes)
    shown = progress()
    shown.begin("decode", len(paths), done, "picture")

    def tell(start: int, block: Block) -> None:
        nonlocal done
        found.add(block)
        under_way.wrote(start, block.sums, found.note(range(start, start + len(block.sums))))
        done += len(block.sums)
        shown.advance(done)

    decode_all(_jobs(len(paths), paths, under_way.notes), how, under_way.path, tell, workers)


def _rescale(under_way: Building, paths: Sequence[str], how: Pictures, found: _Found, workers: int) -> tuple[float, float]:
    """Write greys of more than 8 bits again, now that the range of all is known, and return it.

    :raises DataError: if there are others beside them, or they have no range.
    """
    folder = Path(paths[0]).parent
    count = len(paths) - len(found.damaged)
    if len(found.ends) < count:
        raise DataError(
            f"{folder}: expected pictures of one depth, found {len(found.ends)} with more than 8 bits beside "
            f"{count - len(found.ends)} with 8; convert them to one depth, or give two folders"
        )
    low, high = how.intensities or (min(low for low, _ in found.ends.values()), max(high for _, high in found.ends.values()))
    if not low < high:
        raise DataError(f"{folder}: expected greys that differ, found {low:g} everywhere; say their range as 'intensities'")
    if how.intensities is None:
        again = replace(how, intensities=(low, high))
        decode_all(_jobs(len(paths), paths, {}), again, under_way.path, _noting(under_way, found), workers)
    return low, high


def _noting(under_way: Building, found: _Found) -> Any:
    def tell(start: int, block: Block) -> None:
        under_way.wrote(start, block.sums, found.note(range(start, start + len(block.sums))))

    return tell


def _checked(entry: Entry, scans: Mapping[str, Scan], *, skip: bool) -> CachedPictures:
    """Return what an entry holds.

    :raises DataError: with every picture that could not be read, unless they are skipped and some are left.
    """
    about = entry.about
    damaged = {int(row): reason for row, reason in about["damaged"].items()}
    rows = _good(about["files"], damaged)
    names = [(split, file[0]) for split, file in _listed(about["files"])]
    by_split = {split: {names[row][1]: reason for row, reason in damaged.items() if names[row][0] == split} for split in scans}
    for split, found in scans.items():
        _refuse_damaged(found.folder, by_split[split], len(rows[split]), skip=skip)
    protocol: dict[str, Any] = {"background": about["background"]} if about["transparent"] else {}
    if about["intensities"] is not None:
        protocol["intensities"] = about["intensities"]
    return CachedPictures(entry, rows, by_split, about["digest"], protocol)


def _refuse_damaged(folder: Path, damaged: Mapping[str, str], good: int, *, skip: bool) -> None:
    if not damaged or (skip and good):
        return
    if len(damaged) == 1 and good:
        ((name, reason),) = damaged.items()
        raise DataError(
            f"{folder / name}: expected a picture, found one that cannot be read ({reason}); "
            "repair or remove it, or say on_error: skip"
        )
    lines = [f"  {name}: {reason}" for name, reason in [*damaged.items()][:SHOWN]]
    more = [f"  and {len(damaged) - SHOWN} more"] if len(damaged) > SHOWN else []
    hint = "; repair or remove them" + (", or say on_error: skip" if good else "")
    raise DataError(
        "\n".join([f"{folder}: {len(damaged)} of {len(damaged) + good} pictures cannot be read{hint}", *lines, *more])
    )
