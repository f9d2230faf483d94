"""What lies beside pictures: captions, classes and lists of pictures, in text files, CSV or JSON lines. No torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from genframe import Categorical, DataError

from .folders import Scan, class_names

__all__ = ["Condition", "listed", "metadata"]

NAMES: Final = ("metadata.csv", "metadata.jsonl", "captions.jsonl")
"""Where a folder's table may lie, as Hugging Face's ``imagefolder`` has it; its column ``file_name`` names the picture."""

TEXTS: Final = ("text", "caption")
SHOWN: Final = 20
MOST_BYTES: Final = 1 << 28

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """Where the condition of pictures comes from: their subfolders, a column of their table, or their captions.

    ``length`` is that of the longest caption, in bytes of UTF-8.
    """

    by: Literal["nothing", "folders", "column", "captions"] = "nothing"
    column: str = ""
    length: int = 0

    def classes(self, scans: Mapping[str, Scan]) -> tuple[str, ...]:
        """Return the names of the classes, sorted; none where the condition is no class.

        :raises DataError: if there are fewer than two, or a picture has none.
        """
        if self.by == "folders":
            return tuple(class_names(scans))
        if self.by != "column":
            return ()
        values = {value for found in scans.values() for value in self._column(found).values()}
        if len(values) < 2:
            folder, there = scans["train"].folder, ", ".join(values) or "none"
            raise DataError(f"{folder}: expected at least two classes in {self.column!r}, found {there}")
        return tuple(sorted(values))

    def told(self, classes: Collection[str]) -> str:
        """Return what a report says of the condition."""
        if self.by == "captions":
            return " with captions"
        return f" of {len(classes)} classes" if classes else ""

    def space(self, scans: Mapping[str, Scan]) -> Categorical | None:
        """Return the space of the condition."""
        if self.by == "nothing":
            return None
        return Categorical((self.length,), 256) if self.by == "captions" else Categorical((), len(self.classes(scans)))

    def values(self, found: Scan, classes: Iterable[str]) -> list[int] | list[bytes] | None:
        """Return the condition of each picture: the number of its class, or its caption with zeros up to the longest.

        :raises DataError: if a picture has none, or a caption is too long.
        """
        if self.by == "nothing":
            return None
        numbers = {name: number for number, name in enumerate(classes)}
        if self.by == "folders":
            return [numbers[name.partition("/")[0]] for name in found.pictures]
        if self.by == "column":
            column = self._column(found)
            return [numbers[column[name]] for name in found.pictures]
        return [text.ljust(self.length, b"\0") for text in self._captions(found)]

    def _column(self, found: Scan) -> dict[str, str]:
        """Return the class of each picture, from the column of the table."""
        path, table = metadata(found.folder)
        columns = sorted({column for row in table.values() for column in row} - {"file_name"})
        if self.column not in columns:
            raise DataError(f"{path}: expected a column {self.column!r}, found {', '.join(columns)}")
        chosen = {name: str(row.get(self.column) or "") for name, row in table.items()}
        _refuse_missing(found, lambda name: not chosen.get(name), f"a value of {self.column!r} in {path.name}")
        found.skipped.pop(path.suffix, None)
        return {name: chosen[name] for name in found.pictures}

    def _captions(self, found: Scan) -> list[bytes]:
        table = metadata(found.folder)[1] if any((found.folder / name).exists() for name in NAMES) else {}
        texts = {name: _caption(found.folder, name, table) for name in found.pictures}
        _refuse_missing(found, lambda name: not texts[name], "a caption: NAME.txt beside it, or a 'text' in metadata.csv")
        for suffix in (".txt", ".csv", ".jsonl"):
            found.skipped.pop(suffix, None)
        encoded = [text.encode("utf-8", "replace") for text in texts.values()]
        longest = max(map(len, encoded))
        if longest > self.length:
            name = found.pictures[[*map(len, encoded)].index(longest)]
            raise DataError(
                f"{found.folder / name}: its caption has {longest} bytes, more than {self.length}; "
                f"say caption_length: {longest}"
            )
        return encoded


def _caption(folder: Path, name: str, table: Mapping[str, Row]) -> str:
    """Return a picture's caption, or an empty text if it has none."""
    row = table.get(name, {})
    for column in TEXTS:
        if row.get(column):
            return " ".join(str(row[column]).split())
    beside = (folder / name).with_suffix(".txt")
    try:
        return " ".join(beside.read_text(encoding="utf-8-sig", errors="replace").split())
    except OSError:
        return ""


def _refuse_missing(found: Scan, missing: Callable[[str], bool], what: str) -> None:
    names = [name for name in found.pictures if missing(name)]
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        some = f"{', '.join(names[:SHOWN])}{more}"
        raise DataError(f"{found.folder}: {len(names)} of {len(found.pictures)} pictures lack {what}: {some}")


def metadata(folder: Path) -> tuple[Path, dict[str, Row]]:
    """Return the table beside pictures: its file, and its rows by the name of the picture.

    :raises DataError: if there is none, there are several, or it cannot be read.
    """
    there = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(there) != 1:
        found = " and ".join(path.name for path in there) or "none"
        raise DataError(f"{folder}: expected one of {', '.join(NAMES)}, found {found}")
    (path,) = there
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: has {path.stat().st_size} bytes, more than {MOST_BYTES}")
    rows: dict[str, Row] = {}
    for line, row in _rows(path):
        name = row.get("file_name")
        if not isinstance(name, str) or not name:
            raise DataError(f"{path}:{line}: expected a 'file_name', found {', '.join(map(str, row)) or 'nothing'}")
        if name in rows:
            raise DataError(f"{path}:{line}: expected each picture once, found {name!r} again")
        rows[name.replace("\\", "/").removeprefix("./")] = row
    return path, rows


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield each row with its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                reader = csv.DictReader(file, strict=True)
                for row in reader:
                    yield reader.line_num, {key: value for key, value in row.items() if isinstance(key, str)}
                return
            for line, text in enumerate(file, 1):
                if text.strip():
                    found = json.loads(text)
                    if not isinstance(found, dict):
                        raise DataError(f"{path}:{line}: expected an object, found {text.strip():.40}")
                    yield line, found
    except (csv.Error, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def listed(path: Path, found: Scan) -> list[int]:
    """Return the places of the pictures that a text file names, one a line, among those of a folder.

    :raises DataError: if the file cannot be read, names none, or one that is not there.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    names = dict.fromkeys(line.strip().replace("\\", "/").removeprefix("./") for line in lines if line.strip())
    places = {name: place for place, name in enumerate(found.pictures)}
    absent = [name for name in names if name not in places]
    if absent or not names:
        some = ", ".join(absent[:SHOWN]) + (f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else "")
        raise DataError(f"{path}: expected names of pictures in {found.folder}, found {some or 'none'}")
    return sorted(places[name] for name in names)
