"""Folders of pictures: which files are pictures, which folders are classes, and what is left out. Decodes nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from genframe import DataError
from genframe.types import Report

from .files import existing_folder

__all__ = ["SUFFIXES", "Folders", "Scan", "class_names", "report", "scan"]

SUFFIXES: Final = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
SPLITS: Final = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "dev"})
HINT: Final = "give a folder of pictures as 'path'"


@dataclass
class Scan:
    """What is in a folder: its pictures in the order of their names below it, and what was passed over."""

    folder: Path
    pictures: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)

    @property
    def tops(self) -> list[str]:
        """The subfolders that hold pictures, sorted."""
        return sorted({name.partition("/")[0] for name in self.pictures if "/" in name})

    def stats(self) -> list[tuple[str, int, int]]:
        """Return the name, the size and the time of the last change of each picture.

        :raises DataError: if one has gone.
        """
        found = []
        for name in self.pictures:
            try:
                status = os.stat(f"{self.folder}/{name}")  # noqa: PTH116  # a tenth of the time of a Path
            except OSError as error:
                raise DataError(f"{self.folder / name}: cannot be read: {error.strerror or error}") from None
            found.append((name, status.st_size, status.st_mtime_ns))
        return found


def scan(folder: Path, suffixes: frozenset[str] = SUFFIXES) -> Scan:
    """Return what is in a folder and its subfolders, the files with some ``suffixes``; links to folders are followed.

    :raises DataError: if there is no such folder or no picture in it, or if a link leads back to a folder above it.
    """
    found = Scan(existing_folder(folder, HINT))
    _enter("", found, (), suffixes)
    found.pictures.sort(key=lambda name: name.split("/"))
    found.empty.sort()
    if not found.pictures:
        what, nothing = ("pictures", "no picture") if suffixes >= SUFFIXES else ("files", "nothing")
        passed = f"; {Report(nothing, dict(found.skipped), tuple(found.empty))}" if found.skipped or found.empty else ""
        hint = HINT if suffixes >= SUFFIXES else "give a folder that holds them as 'path'"
        raise DataError(f"{found.folder}: expected {what} ({', '.join(sorted(suffixes))}), found none{passed}; {hint}")
    return found


def _enter(inner: str, found: Scan, above: tuple[str, ...], suffixes: frozenset[str]) -> None:
    """Add what is in a folder to what was found; ``above`` are the real folders from the first one down to this one."""
    folder = f"{found.folder}/{inner}" if inner else str(found.folder)
    real = os.path.realpath(folder)
    if real in above:
        raise DataError(f"{folder}: expected a folder of pictures, found a link to a folder above it; remove the link")
    before = len(found.pictures)
    try:
        with os.scandir(folder) as there:
            entries = sorted(there, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None
    for entry in entries:
        name, hidden = entry.name, entry.name.startswith(".")
        try:
            is_picture = not hidden and _suffix(name) in suffixes and entry.is_file()
            is_folder = not is_picture and not hidden and name != "__MACOSX" and entry.is_dir()
            if not is_picture and not is_folder:
                _pass_over(Path(entry.path), found.skipped)
        except OSError:  # a link to where nobody may look
            found.skipped["unreadable"] += 1
            continue
        if is_picture:
            found.pictures.append(f"{inner}/{name}" if inner else name)
        elif is_folder:
            _enter(f"{inner}/{name}" if inner else name, found, (*above, real), suffixes)
    if len(found.pictures) == before and above:
        found.empty.append(inner)


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def _pass_over(path: Path, skipped: Counter[str]) -> None:
    """Count a file that is not read, or all files of a folder that is not entered."""
    if path.is_dir():
        kind = "in __MACOSX" if path.name == "__MACOSX" else "in hidden folders"
        skipped[kind] += sum(inner.is_file() for inner in path.rglob("*"))
        skipped += Counter()  # forgets folders without files
    elif path.name.startswith("."):
        skipped["hidden"] += 1
    elif path.is_symlink() and not path.exists():
        skipped["broken links"] += 1
    else:
        skipped[path.suffix.lower() or "without a suffix"] += 1


@dataclass(frozen=True)
class Folders:
    """Where the pictures of each split lie: all together in ``path``, or each in a subfolder of its own.

    ``lists`` are files that name pictures of ``path`` to hold out, by split.
    """

    path: Path
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    lists: Mapping[str, Path] = field(default_factory=dict)

    def scans(self) -> dict[str, Scan]:
        """Return what is in the folder of each split that has one, training pictures first.

        :raises DataError: if one is missing or without pictures, or if folders look like splits and nothing says so.
        """
        if self.train is None:
            found = scan(self.path)
            _refuse_splits(found)
            return {"train": found}
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: scan(self.path / name) for split, name in named.items() if name is not None}


def class_names(scans: Mapping[str, Scan]) -> list[str]:
    """Return the subfolders that hold training pictures, sorted: the classes.

    :raises DataError: if there are fewer than two, if a picture lies in none of them, or if a split has others.
    """
    train = scans["train"]
    names = train.tops
    if len(names) < 2:
        raise DataError(
            f"{train.folder}: expected a subfolder with pictures for each of at least two classes, found {len(names)}; "
            "leave 'labels' out"
        )
    for found in scans.values():
        stray = [path for path in found.pictures if "/" not in path or path.partition("/")[0] not in names]
        if stray:
            more = f" and {len(stray) - 1} more" if len(stray) > 1 else ""
            raise DataError(
                f"{found.folder / stray[0]}{more}: expected pictures in the subfolders {_listed(names)} only; "
                "move them or leave 'labels' out"
            )
    return names


def report(scans: Mapping[str, Scan], condition: str, damaged: int = 0, note: str = "", what: str = "picture") -> Report:
    """Return what the folders give and what is left out; ``damaged`` files are left out too.

    ``condition`` says in words what the files come with, ``what`` what they are.
    """
    count = sum(len(found.pictures) for found in scans.values()) - damaged
    skipped = sum((found.skipped for found in scans.values()), Counter[str]())
    skipped["damaged"] = damaged
    took = f"{count} {what}{'s' * (count != 1)}{condition}"
    kinds = {kind: number for kind, number in skipped.most_common() if number}
    return Report(took, kinds, tuple(name for found in scans.values() for name in found.empty), (note,) if note else ())


def _refuse_splits(found: Scan) -> None:
    splits = [name for name in found.tops if name.lower() in SPLITS]
    if len(splits) < 2:
        return
    said = {_split_of(name): name for name in splits}
    fields = ", ".join(f"{split}: {said[split]}" for split in ("train", "validation", "test") if split in said)
    raise DataError(
        f"{found.folder}: found the folders {_listed(splits)}, which look like splits; say {fields}, "
        "or train: . to take all pictures together"
    )


def _split_of(name: str) -> str:
    lower = name.lower()
    return "train" if lower.startswith("train") else "test" if lower.startswith("test") else "validation"


def _listed(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
