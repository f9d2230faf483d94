"""Numbers on the command line: bounds that argparse reports in one line."""

from __future__ import annotations

from argparse import ArgumentTypeError

__all__ = ["LARGEST_SEED", "count", "natural"]

LARGEST_SEED = 2**63 - 1


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
    if not low <= number <= LARGEST_SEED:
        raise ArgumentTypeError(f"expected a whole number of at least {low}, found {text!r}")
    return number
