"""Values on the command line, checked by argparse so that a wrong one is refused in one line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

__all__ = ["LARGEST", "count", "natural", "page", "picture", "samples_file"]

LARGEST = 2**63 - 1


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    return _within(text, 1)


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    return _within(text, 0)


def _within(text: str, low: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= LARGEST:
        raise ArgumentTypeError(f"expected a whole number of at least {low}, found {text!r}")
    return number


def page(text: str) -> Path:
    """Return the path of a page to write."""
    return _ending(text, ".html")


def picture(text: str) -> Path:
    """Return the path of a picture to write."""
    return _ending(text, ".png")


def samples_file(text: str) -> Path:
    """Return the path of a picture or an archive to write."""
    return _ending(text, ".png", ".npz")


def _ending(text: str, *suffixes: str) -> Path:
    path = Path(text)
    if path.suffix not in suffixes:
        raise ArgumentTypeError(f"expected a file that ends in {' or '.join(suffixes)}, found {text!r}")
    return path
