"""Captions, classes and lists beside pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genframe import Categorical, DataError, SpecError
from genframe.types import caption_text
from genframe_data import Images

WORDS = ("a red fox", "ein blaues Ei", "a grëen owl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of one grey each, one of them in a subfolder."""
    for number, name in enumerate(("a.png", "b.png", "in/c.png")):
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 100 * number, np.uint8)).save(path)
    return tmp_path / "p"


def images(folder: Path, **fields: object) -> Images:
    """Return the spec of the pictures in the order of their names."""
    return Images.model_validate(
        {"path": folder, "size": 4, "split": "block", "validation": 0, "test": 0, "caption_length": 16, **fields}
    )


def texts(folder: Path) -> None:
    """Write a caption beside each picture."""
    for path, words in zip(sorted(folder.rglob("*.png")), WORDS, strict=True):
        path.with_suffix(".txt").write_text(f"{words}\n", encoding="utf-8")


def table(folder: Path) -> None:
    """Write captions and classes as a table."""
    rows = [f"{name},{words},{kind}" for name, words, kind in zip(("in/c.png", "./a.png", "b.png"), WORDS, "xyx", strict=True)]
    (folder / "metadata.csv").write_text("\ufefffile_name,text,kind\n" + "\n".join(rows), encoding="utf-8")


def lines(folder: Path) -> None:
    """Write captions as lines of JSON."""
    rows = [{"file_name": name, "caption": words} for name, words in zip(("a.png", "b.png", "in/c.png"), WORDS, strict=True)]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@pytest.mark.parametrize(("write", "order"), [(texts, (0, 1, 2)), (table, (1, 2, 0)), (lines, (0, 1, 2))])
def test_captions_lie_beside_pictures(folder: Path, write: object, order: tuple[int, ...]) -> None:
    """In text files, in a table as Hugging Face has it, or in lines of JSON."""
    assert callable(write)
    write(folder)
    spec = images(folder, captions=True)
    data = spec.load()
    assert data.condition_space == spec.condition_space() == Categorical((16,), 256)
    batch = data.split("train").batch(slice(None))
    assert batch.condition is not None
    assert [caption_text(row) for row in batch.condition.tolist()] == [WORDS[place] for place in order]
    assert str(spec.report()) == str(data.report) == "took 3 pictures with captions"


def test_a_caption_that_is_missing_or_too_long_is_named(folder: Path) -> None:
    """With what would do."""
    with pytest.raises(DataError, match=r"3 of 3 pictures lack a caption: NAME\.txt beside it, .*: a\.png, b\.png, in/c\.png$"):
        images(folder, captions=True).load()
    texts(folder)
    (folder / "b.txt").write_text("word " * 20)
    with pytest.raises(DataError, match=r"b\.png: its caption has 99 bytes, more than 16; say caption_length: 99"):
        images(folder, captions=True).load()
    assert images(folder, captions=True, caption_length=99).load().condition_space == Categorical((99,), 256)
    with pytest.raises(SpecError, match="two conditions; leave one out"):
        images(folder, captions=True, labels=True)


def test_classes_may_be_a_column_of_the_table(folder: Path) -> None:
    """Their names are kept."""
    table(folder)
    spec = images(folder, labels="kind")
    data = spec.load()
    assert data.classes == spec.attributes()["label"] == ("x", "y")
    assert data.condition_space == spec.condition_space() == Categorical((), 2)
    assert data.split("train").condition.tolist() == [1, 0, 0]  # type: ignore[union-attr]
    assert str(data.report) == "took 3 pictures of 2 classes"
    with pytest.raises(DataError, match=r"metadata\.csv: expected a column 'sort', found kind, text"):
        images(folder, labels="sort").condition_space()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file_name,kind\na.png,x\nb.png,\nin/c.png,y", r"1 of 3 pictures lack a value of 'kind' in metadata\.csv: b\.png"),
        ("name,kind\na.png,x", r"metadata\.csv:2: expected a 'file_name', found name, kind"),
        ("file_name,kind\na.png,x\na.png,y", r"metadata\.csv:3: expected each picture once, found 'a\.png' again"),
        ('file_name,kind\n"a.png,x', r"metadata\.csv: cannot be read: unexpected end of data"),
        ("file_name,kind\na.png,x\nb.png,x\nin/c.png,x", "expected at least two classes in 'kind', found x"),
    ],
)
def test_a_table_that_is_wrong_says_where(folder: Path, text: str, said: str) -> None:
    """File, line, what was expected and found."""
    (folder / "metadata.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        images(folder, labels="kind").load()


@pytest.mark.parametrize("text", ["[1]", "{", '{"file_name": 3}', "[" * 100_000])
def test_hostile_lines_of_json_are_refused(folder: Path, text: str) -> None:
    """One line, no traceback."""
    (folder / "captions.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"captions\.jsonl"):
        images(folder, captions=True).load()


def test_two_tables_are_refused(folder: Path) -> None:
    """Which of them counts is not guessed."""
    table(folder)
    lines(folder)
    with pytest.raises(DataError, match=r"found metadata\.csv and captions\.jsonl"):
        images(folder, labels="kind").load()


def test_pictures_are_held_out_by_lists(folder: Path) -> None:
    """A text file names them; what no list names is for training."""
    (folder / "val.txt").write_text("in/c.png\n")
    (folder / "test.txt").write_text("./b.png\n\n")
    data = images(folder, validation="val.txt", test="test.txt").load()
    greys = {name: round(float(split.batch(slice(None)).x.mean()) * 255) for name, split in data.splits.items()}
    assert greys == {"train": 0, "validation": 200, "test": 100}
    (folder / "test.txt").write_text("d.png")
    with pytest.raises(DataError, match=r"test\.txt: expected names of pictures in .*, found d\.png"):
        images(folder, validation="val.txt", test="test.txt").load()
    with pytest.raises(DataError, match="one split, found some in both lists"):
        images(folder, validation="val.txt", test="val.txt").load()
    (folder / "val.txt").write_text("a.png\nb.png\nin/c.png")
    with pytest.raises(DataError, match="leave none for training"):
        images(folder, validation="val.txt").load()
