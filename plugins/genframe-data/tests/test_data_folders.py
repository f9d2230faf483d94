"""Folders of pictures as people have them: links, leftovers, unread suffixes, splits; and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from genframe import Categorical, DataError
from genframe_data import Images

KINDS = "skipped 9 files: 5 .heic, 2 hidden, 1 .db, 1 .txt; skipped 2 folders: __MACOSX, owl (no pictures)"


def _pictures(folder: Path, count: int, suffix: str = "jpg", level: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (4, 4), (level, level, level)).save(folder / f"{number}.{suffix}", format="JPEG")


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A link to another disk, an empty folder, what an unzipper left, suffixes of phones."""
    path = tmp_path / "classes"
    _pictures(path / "cat", 20, level=50)
    _pictures(path / "dog", 20, level=100)
    _pictures(path / "dog", 5, "jfif", level=100)
    _pictures(tmp_path / "elsewhere" / "fox", 20, level=150)
    (path / "fox").symlink_to(tmp_path / "elsewhere" / "fox")
    (path / "__MACOSX" / "cat").mkdir(parents=True)
    (path / "__MACOSX" / "cat" / "._0.jpg").write_bytes(b"\0\5\x16\7" + b"x" * 100)
    (path / "owl").mkdir()
    for name in (".DS_Store", "Thumbs.db", "cat/.DS_Store", "dog/notes.txt", *(f"dog/phone{n}.heic" for n in range(5))):
        (path / name).write_bytes(b"junk")
    return path


def test_classes_are_folders_with_pictures(classes: Path) -> None:
    """Links are followed, .jfif is read; the unzipper's and the empty folder are no classes."""
    spec = Images(path=classes, labels=True, split="block", validation=0, test=0)
    assert spec.attributes() == {"label": ("cat", "dog", "fox")}
    data = spec.load()
    assert data.condition_space == spec.condition_space() == Categorical((), 3)
    split = data.split("train")
    assert split.condition is not None
    assert split.condition.tolist() == [0] * 20 + [1] * 25 + [2] * 20
    assert split.stored[:, 0, 0, 0].tolist() == [50] * 20 + [100] * 25 + [150] * 20


def test_what_is_taken_and_skipped_is_said_in_one_line(classes: Path) -> None:
    """By the spec before loading, and by the dataset; without labels folders are no classes."""
    spec = Images(path=classes, labels=True)
    assert spec.report() == spec.load().report == (f"took 65 pictures of 3 classes; {KINDS}",)
    assert Images(path=classes).report() == (f"took 65 pictures in 3 folders; {KINDS}",)


def test_the_longest_report_is_bounded(tmp_path: Path) -> None:
    """Of 25 kinds ten are named."""
    _pictures(tmp_path, 1)
    for number in range(25):
        (tmp_path / f"a.{number:02}").write_bytes(b"")
    (line,) = Images(path=tmp_path).report()
    assert line.startswith("took 1 picture; skipped 25 files: 1 .00, ")
    assert line.endswith(", 1 .09 and 15 more")


def test_links_that_lead_nowhere_or_back_are_found(tmp_path: Path) -> None:
    """A broken link is skipped and counted; one to a folder that is read already is refused with the place."""
    _pictures(tmp_path / "a", 1)
    (tmp_path / "b.png").symlink_to(tmp_path / "none")
    (tmp_path / "c.png").symlink_to(tmp_path / "c.png")
    assert Images(path=tmp_path).report() == ("took 1 picture in 1 folder; skipped 2 files: 2 broken links",)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    expected = f"{tmp_path}/a/up: expected every folder once, found {tmp_path} again behind a link; remove the link"
    with pytest.raises(DataError) as caught:
        Images(path=tmp_path).data_space()
    assert str(caught.value) == expected


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """Folders for training, validation and testing, each with classes; one class is not in all of them."""
    for split, count, level in (("train", 6, 10), ("Val", 2, 20), ("test", 3, 30)):
        for name in ("cat", "dog")[: 1 if split == "Val" else 2]:
            _pictures(tmp_path / split / name, count, level=level)
    return tmp_path


def test_folders_that_look_like_splits_are_refused_with_the_field(splits: Path) -> None:
    """They would be classes, or mixed and split anew at random."""
    for spec in (Images(path=splits, labels=True), Images(path=splits)):
        with pytest.raises(DataError, match=r"found the folders Val, test, train, which look like splits; say split: folders"):
            spec.data_space()
    for name in ("Val", "test"):
        (splits / name).rename(splits / f".{name}")
    with pytest.raises(DataError, match=rf"found 1; give {splits}/train as 'path', or leave 'labels' out"):
        Images(path=splits, labels=True).condition_space()


def test_folders_can_be_the_splits(splits: Path) -> None:
    """Each split is its folder's; classes have the same number in all of them."""
    spec = Images(path=splits, labels=True, split="folders", size=(4, 4))
    data = spec.load()
    found = {name: (split.stored.unique().tolist(), len(split)) for name, split in data.splits.items()}
    assert found == {"train": ([10], 12), "validation": ([20], 2), "test": ([30], 6)}
    condition = data.split("test").condition
    assert condition is not None
    assert condition.tolist() == [0] * 3 + [1] * 3
    assert spec.attributes() == {"label": ("cat", "dog")}
    assert spec.report() == (
        "train: took 12 pictures of 2 classes",
        "validation: took 2 pictures of 1 class",
        "test: took 6 pictures of 2 classes",
    )


def test_a_split_without_a_folder_is_cut_from_the_training_pictures(splits: Path) -> None:
    """Where there is no folder for validation, its share is."""
    (splits / "Val").rename(splits / ".Val")
    data = Images(path=splits, split="folders", validation=2).load()
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 10, "validation": 2, "test": 6}


def test_splits_that_are_not_there_or_twice_are_refused(splits: Path) -> None:
    """No folder for training, and two for validation."""
    (splits / "valid").mkdir()
    with pytest.raises(DataError, match="expected one folder for validation, found Val and valid; join them"):
        Images(path=splits, split="folders").data_space()
    with pytest.raises(DataError, match="expected the folder train, and val or test if there are any, found none"):
        Images(path=splits / "train", split="folders").data_space()


def test_one_folder_is_no_class(tmp_path: Path) -> None:
    """A flat folder has no labels, and so has one with a single subfolder."""
    _pictures(tmp_path, 2)
    assert Images(path=tmp_path).attributes() == {}
    _pictures(tmp_path / "cat", 2)
    assert Images(path=tmp_path).attributes() == {}


def test_a_class_may_have_the_name_of_a_split(tmp_path: Path) -> None:
    """Trains are vehicles."""
    for name in ("bus", "train"):
        _pictures(tmp_path / name, 2)
    assert Images(path=tmp_path, labels=True).attributes() == {"label": ("bus", "train")}
