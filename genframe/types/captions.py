"""Captions: conditions that are the bytes of a text, with zeros behind it. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .errors import DataError
from .spaces import Categorical, Space

__all__ = ["caption_bytes", "caption_text", "reads_captions"]

ASCII: Final = 128
BYTES: Final = 256


def reads_captions(space: Space | None) -> bool:
    """Return whether conditions in the space are read as text: a row of bytes, or of ASCII's 128 characters."""
    return isinstance(space, Categorical) and len(space.shape) == 1 and ASCII <= space.size <= BYTES


def caption_bytes(text: str, space: Categorical) -> list[int]:
    """Return a text as a condition in the space: its bytes in UTF-8, and zeros up to the space's length.

    :raises DataError: if it is longer, or has a character that the space does not.
    """
    for character in text:
        if max(character.encode(errors="replace")) >= space.size:
            raise DataError(
                f"expected a caption of {space.size} values, found {character!r}, whose bytes go up to "
                f"{max(character.encode(errors='replace'))}; leave it out"
            )
    found, longest = text.encode(errors="replace"), space.shape[0]
    if len(found) > longest:
        raise DataError(
            f"expected a caption of at most {longest} bytes, found {len(found)}: {_brief(text)}; "
            f"shorten it by {len(found) - longest}, or train a model with a longer context"
        )
    return [*found.ljust(longest, b"\0")]


def caption_text(values: Iterable[int]) -> str:
    """Return the text of a condition, without the zeros behind it."""
    return bytes(values).rstrip(b"\0").decode(errors="replace")


def _brief(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else f"{text[:most]}…")
