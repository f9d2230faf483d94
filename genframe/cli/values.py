"""Values on the command line, checked by argparse so that a wrong one is refused in one line."""

from __future__ import annotations

import math
import os
import re
from argparse import ArgumentTypeError
from pathlib import Path

__all__ = [
    "LARGEST",
    "count",
    "joined_ranges",
    "names_folder",
    "natural",
    "page",
    "picture",
    "range_of",
    "samples_file",
    "shown_file",
    "tensors_file",
]

LARGEST = 2**63 - 1
_NEGATIVE_RANGE = re.compile(r"-[0-9.eE+-]+\.\.[0-9.eE+-]+")


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
    """Return the path of a file for samples to write, or of a folder, which ends in a slash."""
    return Path(text) if names_folder(text) else _ending(text, ".png", ".gif", ".npz", ".csv", ".txt")


def names_folder(text: str) -> bool:
    """Return whether a text on the command line names a folder: by a slash at its end, or because it is there."""
    return text.endswith(("/", os.sep)) or Path(text).is_dir()


def shown_file(text: str) -> Path:
    """Return the path of a picture or an animation to write."""
    return _ending(text, ".png", ".gif")


def tensors_file(text: str) -> Path:
    """Return the path of a file of tensors."""
    return _ending(text, ".safetensors")


def range_of(text: str) -> tuple[float, float]:
    """Return the ends of a range such as -2..2."""
    low, dots, high = text.partition("..")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = math.nan, math.nan
    if not dots or not all(map(math.isfinite, ends)) or ends[0] > ends[1]:
        raise ArgumentTypeError(f"expected a range from low to high such as -2..2, found {text!r}")
    return ends


def joined_ranges(words: list[str]) -> list[str]:
    """Return the words with each range that begins with a minus put behind its option, which argparse would take for one."""
    joined: list[str] = []
    for word in words:
        if joined and _NEGATIVE_RANGE.fullmatch(word) and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _ending(text: str, *suffixes: str) -> Path:
    path = Path(text)
    if path.suffix not in suffixes:
        raise ArgumentTypeError(f"expected a file that ends in {' or '.join(suffixes)}, found {text!r}")
    return path
