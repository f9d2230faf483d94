"""Compressed files that would give more than a dataset does are refused before they are decompressed."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from genframe import DataError
from genframe_data import Idx, Table, limits
from genframe_data.files import opened


def _bomb(path: Path, first: bytes, block: bytes, count: int) -> Path:
    with gzip.open(path, "wb", 6) as stream:
        stream.write(first)
        for _ in range(count):
            stream.write(block)
    return path


def test_a_table_that_is_a_bomb_is_refused_when_it_is_checked(tmp_path: Path) -> None:
    """64 MB of one row, from a few hundred kB: 16 MiB are decompressed, and no line is parsed."""
    path = _bomb(tmp_path / "bomb.csv.gz", b"", b"1,2\n" * 500_000, 32)
    tracemalloc.start()
    try:
        begun = time.process_time()
        with pytest.raises(
            DataError, match=r"expected at most 200 bytes of text from a byte of gzip, found 16777216 from \d+; "
        ):
            Table(path=path).data_space()
        seconds = time.process_time() - begun
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < 1
    assert peak < 64 << 20


def test_an_idx_file_that_promises_too_much_is_refused_by_its_header(tmp_path: Path) -> None:
    """The header is honest and the file holds that many zeros; only the header is read."""
    header = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in (64, 1000, 1000))
    path = _bomb(tmp_path / "train-images-idx3-ubyte.gz", header, bytes(1_000_000), 64)
    with pytest.raises(DataError) as caught:
        Idx(path=tmp_path, test=0).data_space()
    packed = path.stat().st_size
    assert str(caught.value) == (
        f"{path}: expected 64000000 bytes of data by its header, found {packed} of gzip; from these at most {200 * packed} "
        "are read; if the header is right, unpack the file and give it as it is"
    )


def test_sound_numbers_are_read_whole(tmp_path: Path) -> None:
    """A table of 24 MB of rounded numbers, and a small one of one row only, are no bombs."""
    rows = "".join(f"{a:.3f},{b:.3f}\n" for a, b in np.random.RandomState(0).randn(200_000, 2)).encode()
    for content in (rows * 9, b"1,2\n" * 500_000):
        path = tmp_path / "table.csv.gz"
        path.write_bytes(gzip.compress(content, 1))
        with opened(path) as stream:
            assert stream.read() == content


def test_more_than_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain files by their size, gzip by counting before the first line is parsed."""
    for module in ("limits", "files"):
        monkeypatch.setattr(f"genframe_data.{module}.LARGEST", 1000)
    for name, content in (("a.csv", b"1,2\n" * 300), ("a.csv.gz", gzip.compress(b"1,2\n" * 300))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            DataError, match=r"a\.csv.*: expected at most 1000 bytes of text .*, found 1200 or more; give a part"
        ):
            Table(path=tmp_path / name).data_space()


def test_a_file_that_memory_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and idx files alike."""
    for module in ("limits", "idx"):
        monkeypatch.setattr(f"genframe_data.{module}.memory_left", lambda: 100)
    (tmp_path / "a.csv").write_bytes(b"1,2\n" * 300)
    with pytest.raises(DataError, match=r"expected at most 100 bytes of text \(what memory has left\), found 1200 or more"):
        Table(path=tmp_path / "a.csv").data_space()
    header = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in (10, 10, 10))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + bytes(1000))
    with pytest.raises(DataError, match="expected 1000 bytes of data by its header, found memory for 100; give a part of it"):
        Idx(path=tmp_path, test=0).data_space()


def test_the_memory_left_is_known_here() -> None:
    """Linux tells it; it is at least the size of this test."""
    left = limits.memory_left()
    assert left is not None
    assert left > 1 << 20
