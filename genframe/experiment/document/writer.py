"""Writing plain data as YAML that reads back as the same data."""

from __future__ import annotations

import json
import re
from typing import Any

from .document import check_plain
from .reader import scalar

WIDTH = 100  # columns of a list written on one line
_UNQUOTED = re.compile(r"(?!\.\.\.)[\w./~+](?:[\w./+*@%()=^~ -]*[\w./+*@%()=^~-])?")


def dump(value: object, *, header: str = "") -> str:
    """Return YAML that :func:`parse` reads back as an equal value of the same types, in the same order.

    ``header`` becomes comment lines above.

    :raises SpecError: if ``value`` is not plain data; the problems name the paths.
    """
    check_plain(value)
    check_plain(header)
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    return "\n".join([*lines, *_block(value)]) + "\n"


def _block(value: Any) -> list[str]:
    inline = _inline(value)
    if inline is not None:
        return [inline]
    heads = (f"{_text(key)}:" for key in value) if isinstance(value, dict) else ("-" for _ in value)
    items = value.values() if isinstance(value, dict) else value
    return [line for head, item in zip(heads, items, strict=True) for line in _entry(head, item)]


def _entry(head: str, value: object) -> list[str]:
    lines = _block(value)
    if head == "-" or _inline(value) is not None:  # starts on the line of its head
        head, lines = f"{head} {lines[0]}", lines[1:]
    return [head, *(f"  {line}" for line in lines)]


def _inline(value: object) -> str | None:
    """Return the value on one line, or None where it takes several."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return None if value else "{}"
    if not isinstance(value, list):
        return json.dumps(value)
    if any(isinstance(item, (dict, list)) for item in value):
        return None
    text = f"[{', '.join(str(_inline(item)) for item in value)}]"
    return text if len(text) <= WIDTH else None


def _text(text: str) -> str:
    if _UNQUOTED.fullmatch(text) and isinstance(scalar(text), str):
        return text
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
