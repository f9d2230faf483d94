"""Folders of pictures: which files are taken, of which classes, and what is skipped. No torch, no Pillow."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from genframe import DataError

from .files import existing_folder

if TYPE_CHECKING:
    from .picture_folder import Images

__all__ = ["Pictures", "class_names", "find", "folder_names", "report"]

SUFFIXES: Final = frozenset({".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
SPLITS: Final = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
UNZIPPED: Final = "__MACOSX"
HINT: Final = "give a folder of pictures as 'path'"
LISTED: Final = 10


@dataclass(frozen=True)
class Pictures:
    """The pictures below a folder, in the order of their names, and what else is there.

    ``skipped`` counts the other files by their kinds, ``left_out`` names the folders right below that have no pictures.
    """

    folder: Path
    paths: tuple[Path, ...]
    skipped: Mapping[str, int]
    left_out: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The folders right below that hold pictures, sorted."""
        parts = (path.relative_to(self.folder).parts for path in self.paths)
        return tuple(sorted({top for top, *below in parts if below}))

    def counts(self, labels: bool) -> str:
        """Return in one line what was taken and what was skipped."""
        of = (
            f" {'of' if labels else 'in'} {_number(len(self.classes), 'class' if labels else 'folder')}" if self.classes else ""
        )
        taken = f"took {_number(len(self.paths), 'picture')}{of}"
        kinds = [f"{count} {kind}" for kind, count in sorted(self.skipped.items(), key=lambda item: (-item[1], item[0]))]
        files = f"skipped {_number(sum(self.skipped.values()), 'file')}: {_listed(kinds)}" if kinds else ""
        folders = f"skipped {_number(len(self.left_out), 'folder')}: {_listed(self.left_out)}" if self.left_out else ""
        return "; ".join(filter(None, (taken, files, folders)))


def find(spec: Images) -> dict[str, Pictures]:
    """Return the pictures by split where folders are the splits, else all of them as those of ``train``.

    :raises DataError: if there is no such folder, no picture in it, or if its folders look like splits and ``split`` denies it.
    """
    folder = existing_folder(spec.path, HINT)
    if spec.split == "folders":
        return {split: _pictures(place) for split, place in _split_folders(folder).items()}
    found = _pictures(folder)
    alike = [name for name in found.classes if name.casefold() in SPLITS]
    if len({SPLITS[name.casefold()] for name in alike}) > 1:
        raise DataError(
            f"{folder}: expected classes, found the folders {', '.join(alike)}, which look like splits; "
            f"say split: folders to take them as such, or give one of them as 'path'"
        )
    return {"train": found}


def folder_names(found: Mapping[str, Pictures]) -> tuple[str, ...]:
    """Return the names of the folders that hold pictures in any split, sorted."""
    return tuple(sorted({name for pictures in found.values() for name in pictures.classes}))


def class_names(found: Mapping[str, Pictures]) -> tuple[str, ...]:
    """Return the classes: :func:`folder_names`, of which there must be two.

    :raises DataError: if there are fewer.
    """
    names = folder_names(found)
    if len(names) < 2:
        folder = found["train"].folder
        split = bool(names) and names[0].casefold() in SPLITS
        hint = f"give {folder / names[0]} as 'path', or leave 'labels' out" if split else "leave 'labels' out"
        raise DataError(f"{folder}: expected a subfolder for each of at least two classes, found {len(names)}; {hint}")
    return names


def report(found: Mapping[str, Pictures], labels: bool) -> tuple[str, ...]:
    """Return what was taken and what was skipped, a line per split that has its own folder."""
    if len(found) == 1:
        return tuple(pictures.counts(labels) for pictures in found.values())
    return tuple(f"{split}: {pictures.counts(labels)}" for split, pictures in found.items())


def _split_folders(folder: Path) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for place in sorted(folder.iterdir()):
        split = SPLITS.get(place.name.casefold())
        if split is None or not place.is_dir():
            continue
        if split in places:
            raise DataError(
                f"{folder}: expected one folder for {split}, found {places[split].name} and {place.name}; join them"
            )
        places[split] = place
    if "train" not in places:
        raise DataError(f"{folder}: expected the folder train, and val or test if there are any, found none; leave 'split' out")
    return {split: places[split] for split in ("train", "validation", "test") if split in places}


def _pictures(folder: Path) -> Pictures:
    paths: list[Path] = []
    skipped: Counter[str] = Counter()
    for path in _files(folder):
        kind = _skipped(path)
        if kind is None:
            paths.append(path)
        else:
            skipped[kind] += 1
    if not paths:
        raise DataError(f"{folder}: expected pictures ({', '.join(sorted(SUFFIXES))}), found none; {HINT}")
    paths.sort(key=lambda path: path.relative_to(folder).parts)
    filled = {path.relative_to(folder).parts[0] for path in paths}
    others = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in filled)
    return Pictures(folder, tuple(paths), skipped, tuple(name if _hidden(name) else f"{name} (no pictures)" for name in others))


def _skipped(path: Path) -> str | None:
    """Return as what a file is skipped; ``None`` for a picture."""
    if _hidden(path.name):
        return "hidden"
    if not path.is_file():
        return "broken links" if path.is_symlink() else "special files"
    suffix = path.suffix.lower()
    return None if suffix in SUFFIXES else suffix or "without suffix"


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; links to folders are followed, hidden folders are left out.

    :raises DataError: if a folder cannot be read, or if a link leads to a folder that is read already.
    """
    seen: dict[str, str] = {}
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        if real in seen:
            raise DataError(f"{place}: expected every folder once, found {seen[real]} again behind a link; remove the link")
        seen[real] = place
        folders[:] = sorted(name for name in folders if not _hidden(name))
        yield from (Path(place, name) for name in files)


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read: {error.strerror or error}")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == UNZIPPED


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("es" if noun.endswith("s") else "s") * (count != 1)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
