"""Ranges on the command line, such as ``--strength -2..2``."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from genframe.cli.values import joined_ranges, range_of


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["--strength", "-2..2"], ["--strength=-2..2"]),
        (["--range", "-2.5..-1e-1", "-n", "4"], ["--range=-2.5..-1e-1", "-n", "4"]),
        (["--strength=-2..2"], ["--strength=-2..2"]),
        (["--json", "-n", "-3"], ["--json", "-n", "-3"]),
    ],
)
def test_a_range_may_begin_with_a_minus(words: list[str], joined: list[str]) -> None:
    """It is joined to its option, and nothing else is."""
    assert joined_ranges(words) == joined


@pytest.mark.parametrize("text", ["1", "a..b", "..", "2..1", "nan..1", "0..inf"])
def test_other_texts_are_refused(text: str) -> None:
    """Two finite numbers, the lower first."""
    with pytest.raises(ArgumentTypeError, match=r"such as -2\.\.2"):
        range_of(text)
