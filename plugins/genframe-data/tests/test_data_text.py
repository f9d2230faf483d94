"""Text."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from genframe import Categorical, DataError
from genframe_data import Text

TEXT = "To be, or not to be: that is the question. Wäre es so einfach?\n" * 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A text of 252 characters and 256 bytes."""
    path = tmp_path / "input.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_windows_follow_each_other_in_the_file(path: Path) -> None:
    """Training, validation and test windows lie side by side, in this order, and decode to the text."""
    spec = Text(path=path, length=20, vocabulary="characters", validation=0.25, test=0.25)
    data = spec.load()
    assert data.space == spec.data_space() == Categorical((20,), len(set(TEXT)))
    edges = {"train": (0, 126), "validation": (126, 189), "test": (189, 252)}
    for name, (start, end) in edges.items():
        windows = data.split(name).batch(slice(None)).x
        assert windows.dtype == torch.int64
        assert spec.decode(windows) == [TEXT[at : at + 20] for at in range(start, end - 19, 20)]


def test_training_windows_may_overlap(path: Path) -> None:
    """With a stride of 1 a training window begins at each character, without copies; held-out windows never overlap."""
    spec = Text(path=path, length=20, vocabulary="characters", stride=1, validation=2, test=1)
    data = spec.load()
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [252 - 60 - 19, 2, 1]
    assert spec.decode(data.split("train").batch(torch.tensor([7])).x) == [TEXT[7:27]]
    assert data.split("train").stored.untyped_storage().nbytes() == len(TEXT)
    assert data.split("train").protocol["stride"] == 1
    assert data.split("test").protocol["stride"] == 20


def test_bytes_need_no_vocabulary(path: Path) -> None:
    """Any file is bytes; the characters of several bytes come back where a window holds them whole."""
    spec = Text(path=path, length=64, validation=0, test=0)
    data = spec.load()
    assert spec.data_space() == Categorical((64,), 256)
    assert list(data.splits) == ["train"]
    assert spec.decode(data.split("train").batch(slice(None)).x) == [TEXT[:63]] * 4
    assert spec.decode(torch.tensor([[0xC3, 65, 66]])) == ["\ufffdAB"]


def test_the_protocol_holds_the_vocabulary(path: Path) -> None:
    """Characters in the order of Unicode, where they are the alphabet."""
    characters = Text(path=path, length=20, vocabulary="characters").load().split("test").protocol
    assert characters["vocabulary"] == "".join(sorted(set(TEXT)))
    assert Text(path=path, length=20).load().split("test").protocol["vocabulary"] == "bytes"
    assert characters["data"].startswith("data/text@")


def test_text_may_be_gzip(path: Path, tmp_path: Path) -> None:
    """A compressed file gives the same windows."""
    packed = tmp_path / "input.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    both = [Text(path=name, length=20).load().split("train").stored for name in (path, packed)]
    assert torch.equal(*both)


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (b"", {}, r"expected a window of 8 and what is held out, 0, found 0 bytes in all"),
        (b"abcdefghijkl", {"test": 1, "validation": 0}, r"and what is held out, 8, found 12 bytes in all; hold out less"),
        (b"abcdefghijkl" * 2, {"test": 0.1}, r"expected a window of 8 in the validation split, found 2 bytes; hold out more"),
        (b"\xff" * 99, {"vocabulary": "characters"}, r"UTF-8, found the byte 0xff at 0; .* say vocabulary: bytes"),
        (b"a" * 99, {"vocabulary": "characters"}, r"two different characters at least, found 1"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, fields: dict[str, object], message: str) -> None:
    """Files that are empty, too short, of one character or in another encoding: one error that names what would do."""
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Text.model_validate({"path": path, "length": 8, **fields}).load()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """By the space already, before anything is read."""
    with pytest.raises(DataError, match="expected a file, found nothing; give a text file as 'path'"):
        Text(path=tmp_path / "none").data_space()
