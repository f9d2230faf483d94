"""Text."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genframe import Categorical, DataError, SpecError
from genframe_data import Text, read_vocabulary
from genframe_data.texts import vocabulary

TEXT = "To be, or not to be: that is the question. Wäre es so einfach?\n" * 4


def decoded(spec: Text, windows: Tensor) -> list[str]:
    """Return windows as text, by the tokenizer of the data."""
    return [spec.tokenizer().decode(row) for row in windows.tolist()]


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
        assert decoded(spec, windows) == [TEXT[at : at + 20] for at in range(start, end - 19, 20)]


def test_training_windows_may_overlap(path: Path) -> None:
    """With a stride of 1 a training window begins at each character, without copies; held-out windows never overlap."""
    spec = Text(path=path, length=20, vocabulary="characters", stride=1, validation=2, test=1)
    data = spec.load()
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [252 - 60 - 19, 2, 1]
    assert decoded(spec, data.split("train").batch(torch.tensor([7])).x) == [TEXT[7:27]]
    assert data.split("train").stored.untyped_storage().nbytes() == len(TEXT)
    assert data.split("train").protocol["stride"] == 1
    assert data.split("test").protocol["stride"] == 20


def test_bytes_need_no_vocabulary(path: Path) -> None:
    """Any file is bytes; the characters of several bytes come back where a window holds them whole."""
    spec = Text(path=path, length=64, validation=0, test=0)
    data = spec.load()
    assert spec.data_space() == Categorical((64,), 256)
    assert list(data.splits) == ["train"]
    assert decoded(spec, data.split("train").batch(slice(None)).x) == [TEXT[:63]] * 4
    assert decoded(spec, torch.tensor([[0xC3, 65, 66]])) == ["\ufffdAB"]


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


def test_merged_pairs_are_learned_from_the_training_split(path: Path) -> None:
    """Tokens decode to the text of each split; a word that only held-out text has stays in pieces; lengths add up."""
    pytest.importorskip("tokenizers")
    path.write_text("the cat sat on the mat. " * 40 + "zebra Wäre zebra zebra zebra " * 8, encoding="utf-8")
    spec = Text(path=path, length=8, vocabulary="bpe", size=280, validation=0, test=0.2)
    data = spec.load()
    assert data.space == spec.data_space() == Categorical((8,), 280)
    assert decoded(spec, data.split("train").batch(slice(0, 3)).x)[0].startswith("the cat sat on the")
    tested, words = data.split("test"), path.read_text(encoding="utf-8")
    shown = decoded(spec, tested.batch(slice(None)).x)
    assert "".join(shown) in words[round(0.8 * len(words)) - 1 :]
    assert tested.characters is not None
    assert tested.characters.tolist() == [len(piece) for piece in shown]
    assert tested.characters.double().mean() < data.split("train").stored.shape[1] * 2
    again = spec.load()
    assert again.files == data.files
    assert again.split("test").protocol == tested.protocol
    assert str(tested.protocol["vocabulary"]).startswith("bpe@")


def test_a_vocabulary_is_read_from_a_run(path: Path, tmp_path: Path) -> None:
    """As plain text, and without the package that merged pairs; what is damaged is refused."""
    kinds = ["bytes", "characters", *(["bpe"] if find_spec("tokenizers") else [])]
    for kind in kinds:
        spec = Text.model_validate({"path": path, "length": 8, "vocabulary": kind})
        data = spec.load()
        (tmp_path / "vocabulary.json").write_text(data.files["vocabulary.json"], encoding="utf-8")
        known, windows = read_vocabulary(tmp_path), data.split("train").batch(slice(0, 2)).x
        assert [known.decode(row) for row in windows.tolist()] == decoded(spec, windows)
        assert known.decode(known.encode("to be")) == "to be"
        assert len(known.characters_of) <= data.space.size  # type: ignore[union-attr]
    for damaged in ("", "[]", '{"kind": "pickle"}', '{"kind": "bpe", "tokenizer": {"model": {"vocab": {"a": "b"}}}}'):
        (tmp_path / "vocabulary.json").write_text(damaged)
        with pytest.raises(DataError, match="expected a vocabulary, found something else"):
            read_vocabulary(tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(DataError, match="expected the vocabulary of a run on text, found nothing"):
        read_vocabulary(tmp_path)


def test_a_character_that_is_not_in_the_vocabulary_is_refused(path: Path) -> None:
    """It is named, with what would do; bytes have every character."""
    with pytest.raises(
        DataError, match=r"expected the 23 characters of the vocabulary, found 'Q'; leave it out, or train with"
    ):
        vocabulary(Text(path=path, vocabulary="characters").file()).encode("to be, Q")
    assert vocabulary(Text(path=path).file()).encode("ä") == [0xC3, 0xA4]


def test_merging_pairs_needs_a_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the check says what to install, before anything is read."""
    monkeypatch.setattr("genframe_data.vocabularies.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"not installed; pip install 'genframe-data\[text\]', or say vocabulary: characters"):
        Text(path=path, vocabulary="bpe").data_space()
    with pytest.raises(SpecError, match="hold out shares below 1"):
        Text(path=path, vocabulary="bpe", test=3)


def test_characters_of_several_bytes_are_counted_once(path: Path) -> None:
    """A window of bytes stands for as many characters as begin in it."""
    split = Text(path=path, length=64, validation=0, test=1).load().split("test")
    assert split.characters is not None
    assert split.characters.tolist() == [63]


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


def test_check_says_how_long_it_is(path: Path) -> None:
    """In the terms of its tokens; the data set says the same."""
    for tokens, told in (("characters", "took 252 characters, 23 different ones"), ("bytes", "took 256 bytes")):
        spec = Text(path=path, length=20, vocabulary=tokens)
        assert str(spec.report()) == str(spec.load().report) == told
