"""Plain data, the places where its parts were written, and the bounds of what a document may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from ...types.errors import Problem, SpecError

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"
Keys: TypeAlias = tuple[str | int, ...]

MAX_SIZE = 256 * 1024  # bytes of a file, characters of a text
MAX_DEPTH = 32  # collections inside each other
MAX_VALUES = 10_000
MAX_KEY = 128  # characters
TOO_LARGE = (f"is larger than {MAX_SIZE // 1024} KiB", "keep data out of the spec")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Place:
    """Where something was written: a file, ``<text>`` or ``<override ...>``; line and column count from 1."""

    source: str
    line: int | None = None
    column: int | None = None

    def refusal(self, message: str, hint: str = "", path: Keys = ()) -> SpecError:
        """Return the error that says what is wrong with ``path`` here, and how to fix it."""
        return SpecError(Problem(dotted(path), message, hint, self.source, self.line, self.column))


@dataclass(frozen=True)
class Document:
    """Plain data and the places of its parts: of the key for a mapping's value, of the item itself in a list."""

    value: Plain
    source: str
    places: Mapping[Keys, Place]


def dotted(path: Keys) -> str:
    """Return the path as a user writes it, ``train.stages.0.steps``, with characters that a terminal obeys escaped."""
    text = ".".join(str(key) for key in path)
    return text if text.isprintable() else repr(text)[1:-1]


def shown(value: object) -> str:
    """Return ``value`` as messages show it: unprintable characters escaped, at most 80 columns."""
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"


def origin(document: Document, path: Keys) -> Place | None:
    """Return the place of ``path`` or, if it was never written, of its nearest ancestor that was."""
    ancestors = (path[:length] for length in range(len(path), -1, -1))
    return next((document.places[keys] for keys in ancestors if keys in document.places), None)


def check_plain(value: object, document: Document | None = None) -> None:
    """Refuse what a document cannot hold: other types, NaN, infinity, integers beyond 64 bits, control characters.

    ``document`` knows the places that the errors name.
    """
    problems: list[Problem] = []
    for path, message, hint in islice(_flaws(value), 20):
        place = document and origin(document, path)
        problems.extend((place or Place("")).refusal(message, hint, path).problems)
    if problems:
        raise SpecError(problems)


def _flaws(value: object) -> Iterator[tuple[Keys, str, str]]:
    for number, (path, node) in enumerate(_walk(value, ()), 1):
        if flaw := excess(len(path), number):
            yield (), *flaw
            return
        if flaw := _flaw(node):
            yield path, *flaw


def _walk(value: object, path: Keys) -> Iterator[tuple[Keys, object]]:
    yield path, value
    if type(value) is dict or type(value) is list:
        for key, item in value.items() if type(value) is dict else enumerate(value):
            yield from _walk(item, (*path, key))


def _flaw(node: object) -> tuple[str, str] | None:
    if type(node) is float and not math.isfinite(node):
        return f"{node} is not a finite number", "write a finite number, or null for none"
    if type(node) is int and not -(2**63) <= node < 2**63:
        return "the integer does not fit in 64 bits", "write a smaller one, or a float such as 1e20"
    if type(node) is str and (found := unprintable(node)):
        return found[1:]
    if type(node) is dict:
        return next(filter(None, map(_key_flaw, node)), None)
    if node is None or type(node) in (bool, int, float, str, list):
        return None
    return f"{shown(node)} is no plain data", "use mappings, lists, text, numbers, booleans and null"


def _key_flaw(key: object) -> tuple[str, str] | None:
    if type(key) is not str:
        return f"the key {shown(key)} is not text", "a key must be text"
    if len(key) > MAX_KEY:
        return f"the key {shown(key[:20])}... is longer than {MAX_KEY} characters", "use a shorter one"
    return _flaw(key)


def excess(depth: int, count: int) -> tuple[str, str] | None:
    """Return what is wrong with a document that is too deep or has too many values, and how to fix it."""
    if depth > MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} levels", "flatten it"
    return (f"holds more than {MAX_VALUES} values", "keep data out of the spec") if count > MAX_VALUES else None


def unprintable(text: str) -> tuple[int, str, str] | None:
    """Return where the first character is that a document may not hold, what is wrong with it, and how to fix it."""
    found = _UNPRINTABLE.search(text)
    return (found.start(), f"the character U+{ord(found[0]):04X} is not printable", "remove it") if found else None
