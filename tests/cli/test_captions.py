"""Captions on the command line: what a model that reads text is asked for."""

from __future__ import annotations

import pytest

from genframe import Categorical, DataError, Real
from genframe.types import caption_bytes, caption_text, reads_captions


def test_a_caption_is_bytes_and_zeros() -> None:
    """Characters of several bytes too; what is behind the text is zero, and it comes back without."""
    space = Categorical((8,), 256)
    assert caption_bytes("Ähre", space) == [0xC3, 0x84, *b"hre", 0, 0, 0]
    assert caption_text(caption_bytes("Ähre", space)) == "Ähre"
    assert caption_bytes("12345678", space) == [*b"12345678"]


def test_text_is_rows_of_bytes() -> None:
    """A single class, an image, a few classes and real numbers are no text."""
    assert [reads_captions(Categorical((5,), size)) for size in (3, 128, 256, 300)] == [False, True, True, False]
    assert not any(map(reads_captions, (None, Categorical((), 256), Categorical((4, 4), 256), Real((5,)))))


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("a red house", 256, "expected a caption of at most 8 bytes, found 11: 'a red house'; shorten it by 3, or train"),
        ("ÄÄÄÄÄ", 256, "expected a caption of at most 8 bytes, found 10: 'ÄÄÄÄÄ'; shorten it by 2"),
        ("x" * 99, 256, "found 99: '" + "x" * 40 + "…'; shorten it by 91"),
        ("Äh", 128, "expected a caption of 128 values, found 'Ä', whose bytes go up to 195; leave it out"),
    ],
)
def test_what_a_model_cannot_read_is_refused(text: str, size: int, message: str) -> None:
    """A text that is longer than the context, or a character outside the alphabet, with what would do."""
    with pytest.raises(DataError) as caught:
        caption_bytes(text, Categorical((8,), size))
    assert message in str(caught.value)
