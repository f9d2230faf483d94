"""A gzip stream of nothing but repeats is refused before anything reads its lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from genframe import DataError
from genframe_data.files import LARGE, opened


def test_a_table_of_repeats_is_refused_before_its_first_line(tmp_path: Path) -> None:
    """However well it compresses: a ratio near a thousand, from the first byte on."""
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", 9) as file:
        for _ in range(LARGE // (1 << 20) + 2):
            file.write(b"0,0,0,0\n" * (1 << 17))
    with pytest.raises(DataError, match="nothing but repeats"), opened(path):
        pytest.fail("the stream was handed out")
