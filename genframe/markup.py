"""HTML in which text cannot become markup: whatever is not :class:`Markup` already is escaped where it is put in."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

__all__ = ["Markup", "join", "png_uri", "table", "tag"]

VOID: Final = {"img", "input", "meta"}
UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is HTML, made by the functions of this module."""

    __slots__ = ()


def join(*content: object) -> Markup:
    """Return everything in a row; ``None`` is left out, and what no file can hold becomes a replacement character."""
    return Markup("".join(map(_escaped, content)))


def _escaped(value: object) -> str:
    return "" if value is None else value if isinstance(value, Markup) else _text(value)


def _text(value: object) -> str:
    return escape(UNPRINTABLE.sub("\ufffd", str(value)))


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Return an element. ``class_`` is the attribute class, ``aria_label`` aria-label; one that is ``None`` is left out."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    opening = "".join(f' {key}="{_text(value)}"' for key, value in given.items())
    return Markup(f"<{name}{opening}>" if name in VOID and not content else f"<{name}{opening}>{join(*content)}</{name}>")


def table(headers: Sequence[object], rows: Iterable[Sequence[object]], caption: object = None, **attributes: object) -> Markup:
    """Return a table; the first cell of a row names it."""
    head = tag("thead", tag("tr", *(tag("th", header, scope="col") for header in headers)))
    body = (tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest)) for first, *rest in rows)
    return tag("table", tag("caption", caption) if caption is not None else None, head, tag("tbody", *body), **attributes)


def png_uri(png: bytes) -> str:
    """Return a PNG as the address of a picture that is loaded from nowhere."""
    return f"data:image/png;base64,{b64encode(png).decode()}"
