"""Which files of a folder are pictures and which folders are classes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genframe import Categorical, DataError
from genframe.cli import main
from genframe_data import Images


def _paint(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), level).save(path, format="JPEG" if path.suffix == ".jfif" else None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders as they come: a link, an empty one, what an unzipper left, suffixes of phones."""
    root = tmp_path / "classes"
    for number in range(4):
        for name in ("classes/cat", "classes/dog", "elsewhere/fox"):
            _paint(tmp_path / name / f"{number}.png")
        _paint(root / "dog" / f"x{number}.jfif")
        (root / "dog" / f"{number}.heic").write_bytes(b"junk")
    (root / "fox").symlink_to(tmp_path / "elsewhere" / "fox")
    (root / "owl").mkdir()
    (root / "__MACOSX" / "cat").mkdir(parents=True)
    (root / "__MACOSX" / "cat" / "._0.jpg").write_bytes(b"junk")
    for name in (".DS_Store", "Thumbs.db", "cat/.DS_Store", "dog/notes.txt"):
        (root / name).write_bytes(b"junk")
    (root / "cat" / "gone.png").symlink_to(root / "nowhere.png")
    return root


def test_classes_are_folders_with_pictures(folder: Path) -> None:
    """Links are followed, a jfif is a JPEG, and what is left out is counted by its kind."""
    spec = Images(path=folder, labels=True, size=(4, 4), validation=0, test=0)
    assert spec.condition_space() == Categorical((), 3)
    assert spec.attributes() == {"label": ("cat", "dog", "fox")}
    report = spec.report()
    assert sorted(report.skipped.items()) == [
        (".db", 1),
        (".heic", 4),
        (".txt", 1),
        ("broken links", 1),
        ("hidden", 2),
        ("in __MACOSX", 1),
    ]
    assert (report.took, report.empty) == ("16 pictures of 3 classes", ("owl",))
    data = spec.load()
    assert (data.report, data.classes) == (report, ("cat", "dog", "fox"))
    classes = data.split("train").condition
    assert classes is not None
    assert classes.bincount().tolist() == [4, 8, 4]


def test_check_says_what_would_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line for people, and as data."""
    words = ["check", "vae-digits", f"data={{type: data/images, path: {folder}, size: [8, 8], colour: grey}}"]
    main(words)
    assert capsys.readouterr().out.splitlines()[0].startswith("took 16 pictures; skipped 10 files: 4 .heic, ")
    main([*words, "--json"])
    assert json.loads(capsys.readouterr().out)["read"]["empty"] == ["owl"]


def test_a_run_knows_its_classes_by_name(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Samples are asked for by name or number; a wrong name is answered by the classes; the run says what was read."""
    run = tmp_path / "run"
    data = f"data={{type: data/images, path: {folder}, size: [8, 8], colour: grey, binarise: dynamic, labels: true, limit: 8}}"
    assert main(["train", "cvae-digits", data, "train.steps=1", "train.batch_size=4", "--run", str(run)]) == 0
    assert "took 16 pictures of 3 classes; skipped 10 files: 4 .heic" in "".join(capsys.readouterr())
    assert json.loads((run / "environment.json").read_text())["read"]["took"] == "16 pictures of 3 classes"
    main(["sample", str(run), "-n", "2", "--condition", "fox"])
    assert capsys.readouterr().out.strip().endswith("class-2-n-2.png")
    assert main(["sample", str(run), "--condition", "wolf"]) == 4
    assert "there is no class 'wolf': this model has the classes cat, dog, fox" in capsys.readouterr().err


def test_a_link_in_a_circle_is_refused(folder: Path) -> None:
    """It would never end."""
    (folder / "cat" / "again").symlink_to(folder)
    with pytest.raises(DataError, match=r"again: expected a folder of pictures, found a link to a folder above it"):
        Images(path=folder).data_space()


def test_links_to_where_nobody_may_look_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are skipped, and that is said."""

    class Locked:
        def __init__(self, name: str) -> None:
            self.name = self.path = name

        def is_file(self) -> bool:
            raise PermissionError(13, "Permission denied")

        is_dir = is_file

    scandir = os.scandir

    @contextmanager
    def scanned(path: str) -> Iterator[list[Any]]:
        with scandir(path) as entries:
            yield [*entries, *(map(Locked, ("locked.png", "shut")) if path == str(folder) else ())]

    monkeypatch.setattr("genframe_data.folders.os.scandir", scanned)
    assert "2 unreadable" in str(Images(path=folder).report())


def test_folders_without_pictures_say_what_was_there(tmp_path: Path) -> None:
    """So that a wrong suffix is seen."""
    (tmp_path / "a.heic").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"found none; took no picture; skipped 1 file: 1 .heic; give a folder"):
        Images(path=tmp_path).data_space()


def test_folders_of_splits_are_named(tmp_path: Path) -> None:
    """They are never mixed in silence: the fields that say what they are, are in the message, and work."""
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        for name in ("cat", "dog"):
            for number in range(count):
                _paint(tmp_path / split / name / f"{number}.png")
    with pytest.raises(DataError) as caught:
        Images(path=tmp_path, labels=True).condition_space()
    assert str(caught.value) == (
        f"{tmp_path}: found the folders test, train, val, which look like splits; say train: train, validation: val, "
        "test: test, or train: . to take all pictures together"
    )
    spec = Images(path=tmp_path, labels=True, train="train", validation="val", test="test", size=(4, 4))
    assert spec.attributes() == {"label": ("cat", "dog")}
    assert {name: len(split) for name, split in spec.load().splits.items()} == {"train": 8, "validation": 4, "test": 6}
    assert str(spec.report()) == "took 18 pictures of 2 classes"
    assert sum(map(len, Images(path=tmp_path, train=".").load().splits.values())) == 18
    with pytest.raises(ValueError, match="test has a subfolder; name the one of the training pictures as 'train' too"):
        Images(path=tmp_path, test="test")
    _paint(tmp_path / "test" / "wolf" / "0.png")
    with pytest.raises(DataError, match=r"wolf/0.png: expected pictures in the subfolders cat, dog only"):
        spec.load()
