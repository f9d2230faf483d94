"""Lines of a text file whose encoding is found from its bytes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from genframe import DataError

from .files import opened

__all__ = ["encoding", "lines"]

LONGEST_LINE: Final = 1 << 20
LARGEST: Final = 1 << 31
PROBED: Final = 1 << 24
CHUNK: Final = 1 << 16
MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def encoding(path: Path) -> str:
    """Return a file's encoding: what its first bytes mark, UTF-16 by its zero bytes, else UTF-8 or Latin-1.

    :raises DataError: if the file cannot be read, or is a spreadsheet.
    """
    with opened(path) as stream:
        first = stream.read(CHUNK)
        if first.startswith(b"PK\3\4"):
            raise DataError(f"{path}: expected a table as text, found a spreadsheet or another archive; save it as CSV")
        for mark, name in MARKS:
            if first.startswith(mark):
                return name
        if first[1::2].count(0) > len(first) / 4:
            return "utf-16-le"
        if first[::2].count(0) > len(first) / 4:
            return "utf-16-be"
        decoder, read, chunk = codecs.getincrementaldecoder("utf-8")(), 0, first
        try:
            while chunk and read < PROBED:
                decoder.decode(chunk)
                read, chunk = read + len(chunk), stream.read(CHUNK)
            decoder.decode(b"", final=not chunk)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line, with its end; ``name`` is the encoding.

    :raises DataError: if a line or the file is too long, or is not in the encoding.
    """
    number, total, rest = 0, 0, ""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(name)(), translate=True)
    with opened(path) as stream:
        while True:
            raw = stream.read(CHUNK)
            try:
                *whole, rest = (rest + decoder.decode(raw, final=not raw)).split("\n")
            except UnicodeDecodeError as error:
                at = number + 1 + error.object[: error.start].count(b"\n")
                raise DataError(f"{path}:{at}: expected {name} as before, found other bytes; save it in one encoding") from None
            for text in whole if raw or not rest else [*whole, rest]:
                number, total = number + 1, total + len(text) + 1
                _refuse_long(path, number, len(text), total)
                yield number, text + "\n"
            if not raw:
                return
            _refuse_long(path, number + 1, len(rest), total + len(rest))


def _refuse_long(path: Path, number: int, length: int, total: int) -> None:
    if length >= LONGEST_LINE or total > LARGEST:
        raise DataError(f"{path}:{number}: expected lines under {LONGEST_LINE} bytes and {LARGEST} in all, found more")
