"""Text for people: control characters become visible, and bytes are told in units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol, TextIO

__all__ = ["Printable", "Tokenizer", "listed", "printable", "readable"]

# C0 and C1 but for tab and line break, line and paragraph separators, and what turns the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return the text with control characters written as ``\u001b``, which JSON reads back as the same character.

    >>> print(printable("a\x1b[31mb"))
    a\u001b[31mb
    """
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Tokenizer(Protocol):
    """Turns text into the numbers of tokens that a model of text draws, and back."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text.

        :raises DataError: naming what no token stands for.
        """

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""


class Printable:
    """A stream of text that passes on only what is printable; rich, which writes colours, writes to the stream below."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write the text, its control characters made visible."""
        self.rich_proxied_file.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def listed(texts: Sequence[str]) -> str:
    """Return texts one after another, each under a line with its number where there are several.

    >>> print(listed(["to be", "or not"]), end="")
    --- 0 ---
    to be
    <BLANKLINE>
    --- 1 ---
    or not
    """
    if len(texts) == 1:
        return texts[0] + "\n"
    return "\n".join(f"--- {number} ---\n{text}\n" for number, text in enumerate(texts))


def readable(count: float) -> str:
    """Return bytes in the largest unit of which there is at least one: ``1.5 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1024
    raise AssertionError
