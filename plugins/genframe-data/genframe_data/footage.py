"""Folders of clips: which folders are clips of frames, which files are films, and what is left out. Decodes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from genframe import DataError
from genframe.types import Report

from .files import existing_file
from .folders import SUFFIXES, scan

__all__ = ["FILMS", "Clip", "Footage", "Windows", "footage"]

FILMS: Final = frozenset({".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm"})
ARCHIVE: Final = ".npz"


@dataclass(frozen=True)
class Clip:
    """A clip by its name below the folder, with the names of its frames; a film, which is one file, has none."""

    name: str
    frames: tuple[str, ...] = ()


@dataclass(frozen=True)
class Windows:
    """Which frames of a clip are an example: ``frames`` of them, each ``stride`` after the last; ``step`` between examples."""

    frames: int
    stride: int
    step: int

    @property
    def span(self) -> int:
        """The frames of a clip from an example's first to its last."""
        return (self.frames - 1) * self.stride + 1

    def starts(self, count: int) -> range:
        """Return the first frame of each example in a clip of ``count`` frames."""
        return range(0, count - self.span + 1, self.step)


@dataclass(frozen=True)
class Footage:
    """The clips of a folder, or the arrays of an archive, in the order of their names, and what was passed over."""

    path: Path
    clips: tuple[Clip, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    empty: tuple[str, ...] = ()

    @property
    def of_frames(self) -> bool:
        """Whether clips are folders of frames."""
        return bool(self.clips[0].frames)

    def classes(self) -> tuple[str, ...]:
        """Return the subfolders that hold clips, sorted.

        :raises DataError: if there are fewer than two, or if a clip lies in none of them.
        """
        stray = [clip.name for clip in self.clips if "/" not in clip.name]
        names = tuple(sorted({clip.name.partition("/")[0] for clip in self.clips}))
        if stray:
            raise DataError(
                f"{self.path / stray[0]}: expected clips in a subfolder for each class, found one beside them; "
                "move it, or leave 'labels' out"
            )
        if len(names) < 2:
            raise DataError(f"{self.path}: expected subfolders for at least two classes, found {len(names)}; leave labels out")
        return names

    def report(self, clips: int, windows: str, classes: int, damaged: int, notes: tuple[str, ...]) -> Report:
        """Return what is taken, in words, and what is left out."""
        skipped = {**self.skipped, **({"damaged": damaged} if damaged else {})}
        of = f" of {classes} classes" if classes else ""
        return Report(f"{clips} {'clip' if clips == 1 else 'clips'}{of}{windows}", skipped, self.empty, notes)


def footage(path: Path) -> Footage:
    """Return the clips in a folder: each subfolder with pictures, its frames in the order of their numbers; or each film.

    :raises DataError: if there are none, or folders of frames beside films.
    """
    if path.suffix == ARCHIVE:
        from .npz import names

        return Footage(existing_file(path, "give a folder or an archive as 'path'"), tuple(map(Clip, sorted(names(path)))))
    found = scan(path, SUFFIXES | FILMS)
    films = [name for name in found.pictures if Path(name).suffix.lower() in FILMS]
    frames: dict[str, list[str]] = {}
    for name in sorted({*found.pictures} - {*films}, key=_by_number):
        frames.setdefault(name.rpartition("/")[0], []).append(name)
    if films and frames:
        raise DataError(
            f"{found.folder}: expected folders of frames or films, found {len(frames)} of the first beside {len(films)} of the "
            f"second, such as {films[0]}; put them into folders of their own"
        )
    clips = [Clip(name) for name in films] or [Clip(folder or ".", tuple(names)) for folder, names in frames.items()]
    return Footage(found.folder, tuple(clips), Counter(found.skipped), tuple(found.empty))


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return what puts names in order, numbers within them by their value."""
    pieces = re.split("([0-9]+)", name)
    return [(int(piece) if number % 2 else 0, piece) for number, piece in enumerate(pieces)]
