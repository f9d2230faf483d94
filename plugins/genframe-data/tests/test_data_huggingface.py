"""Datasets that Hugging Face's package has saved: the same pictures as in its own hands, in any order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from genframe import DataError, fit, resume, train
from genframe.roles import whole
from genframe.types import caption_text
from genframe_data import HuggingFace, Images

datasets.disable_progress_bars()

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
FEATURES = datasets.Features(
    {"image": datasets.Image(), "label": datasets.ClassLabel(names=["fox", "owl"]), "text": datasets.Value("string")}
)


def table(count: int = len(PIXELS), **columns: Any) -> datasets.Dataset:
    """Return pictures with classes and captions as the package holds them."""
    given = {
        "image": [Image.fromarray(pixels) for pixels in PIXELS[:count]],
        "label": [number % 2 for number in range(count)],
        "text": [f"picture {number}" for number in range(count)],
    }
    return datasets.Dataset.from_dict(given | columns, features=FEATURES)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """All pictures in one table."""
    table().save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """The pictures in three splits, one of which has a name of its own."""
    parts = {"train": range(15), "test": range(15, 20), "extra": range(20, 24)}
    datasets.DatasetDict({name: table().select(rows) for name, rows in parts.items()}).save_to_disk(tmp_path / "split")
    return tmp_path / "split"


def test_pictures_classes_and_splits_are_those_of_the_package(split: Path) -> None:
    """A split of the folder is the split here; what nothing asks for is said."""
    spec = HuggingFace(path=split, size=8, labels=True, validation=3)
    assert str(spec.report()) == "took 20 pictures of 2 classes; left out the split extra"
    data = spec.load()
    assert data.space == spec.data_space()
    assert data.classes == spec.attributes()["label"] == ("fox", "owl")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 12, "validation": 3, "test": 5}
    test = data.split("test")
    assert torch.equal(whole(test.stored), torch.from_numpy(PIXELS[15:20]).movedim(-1, 1))
    assert test.condition.tolist() == [1, 0, 1, 0, 1]  # type: ignore[union-attr]
    extra = HuggingFace(path=split, size=8, train="extra", validation=0, test="train").load()
    assert {name: len(part) for name, part in extra.splits.items()} == {"train": 4, "test": 15}


def test_pictures_of_any_size_are_prepared_as_those_of_a_folder(tmp_path: Path) -> None:
    """Cut, scaled and laid over the background by the same code."""
    (tmp_path / "folder").mkdir()
    for number, mode in enumerate(("RGB", "RGBA", "L", "P")):
        pixels = np.random.default_rng(number).integers(0, 256, (20 + number, 31, 4), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(tmp_path / "folder" / f"{number}.png")
    paths = sorted(map(str, (tmp_path / "folder").iterdir()))
    datasets.Dataset.from_dict({"image": paths}, features=datasets.Features({"image": datasets.Image()})).save_to_disk(
        tmp_path / "saved"
    )
    ours = HuggingFace(path=tmp_path / "saved", size=(8, 12), validation=0, test=0, split="block").load().split("train")
    folder = Images(path=tmp_path / "folder", size=(8, 12), validation=0, test=0, split="block").load().split("train")
    assert torch.equal(whole(ours.stored), whole(folder.stored))


def test_captions_are_the_condition(saved: Path) -> None:
    """The only column of text, or the one that is named."""
    for captions in (True, "text"):
        part = HuggingFace(path=saved, size=8, captions=captions, validation=0, test=0, split="block").load().split("train")
        assert caption_text(whole(part.condition)[7]) == "picture 7"  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a caption has 10 bytes; say caption_length: 10"):
        HuggingFace(path=saved, captions=True, caption_length=4).load()


def test_a_run_on_them_is_resumed_bit_for_bit(saved: Path, tmp_path: Path) -> None:
    """With another number of threads; other contents are noticed."""
    network = {"type": "nets/mlp", "hidden": [4]}
    experiment = {
        "name": "saved",
        "data": {"type": "data/huggingface", "path": str(saved), "size": 8, "crop": "random", "flip": "horizontal"},
        "model": {"encoder": {**network, "dim": 2}, "decoder": network, "loss": "vae/reconstruction"},
        "train": {"steps": 9, "batch_size": 4, "checkpoint_every": 4},
    }
    run = train(experiment, folder=tmp_path / "whole")
    experiment["train"]["steps"] = 5  # type: ignore[index]
    train(experiment, folder=tmp_path / "cut")
    moved = saved.rename(tmp_path / "moved")
    shutil.copytree(moved, saved)  # a copy has other times, and is the same
    resumed = resume(tmp_path / "cut", ["train.steps=9", "train.workers=5"])
    for name, tensor in run.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    shutil.rmtree(saved)
    table().select(range(23)).save_to_disk(saved)
    with pytest.raises(DataError, match="has changed"):
        resume(tmp_path / "cut", ["train.steps=12"])


def test_a_table_of_the_package_trains_as_it_is() -> None:
    """Without being saved: ``fit`` reads it by index, and ``batch`` tells what is in a row."""
    from genframe import Batch, ModelSpec, Real, compose

    network = {"type": "nets/mlp", "hidden": [4]}
    model = compose(
        ModelSpec.model_validate({"encoder": {**network, "dim": 2}, "decoder": network, "loss": "vae/reconstruction"}),
        Real((3, 8, 8)),
    )
    rows = table().with_format("torch")
    heard = []

    def batch(row: Any) -> Batch:
        heard.append(len(row["image"]))
        return Batch(row["image"].float() / 255)

    history = fit(model, rows, steps=3, batch_size=6, log_every=1, batch=batch)
    assert len(history.rows) == 3
    assert set(heard) <= {1, 6}


@pytest.mark.parametrize(
    ("make", "fields", "said"),
    [
        (lambda folder: folder.mkdir(), {}, "expected a saved dataset, found none; give a folder that save_to_disk"),
        (
            lambda folder: table(4).save_to_disk(folder),
            {"image": "label"},
            "expected a column 'label' of Image, found a column of",
        ),
        (
            lambda folder: table(4).save_to_disk(folder),
            {"image": "x"},
            "expected a column 'x' of Image, found the columns image",
        ),
        (lambda folder: table(4).save_to_disk(folder), {"test": "held"}, "expected a split 'held', found train"),
        (
            lambda folder: table(4).remove_columns("label").save_to_disk(folder),
            {"labels": True},
            "labels: expected one column of ClassLabel, found none among image, text; name the column as 'labels'",
        ),
        (
            lambda folder: table(4, label=[0, 1, -1, 0]).save_to_disk(folder),
            {"labels": True},
            "1 examples of 'train' have no class, the first is number 2",
        ),
        (
            lambda folder: [table(4).save_to_disk(folder), (folder / "dataset_info.json").write_text("[")],
            {},
            "cannot be opened: .*save the dataset again",
        ),
        (
            lambda folder: [table(4).save_to_disk(folder), next(folder.glob("*.arrow")).write_bytes(b"no table")],
            {},
            "cannot be opened: .*save the dataset again",
        ),
    ],
)
def test_what_is_missing_or_damaged_is_named(tmp_path: Path, make: Callable[[Path], Any], fields: Any, said: str) -> None:
    """In one line, before anything is trained."""
    make(tmp_path / "d")
    with pytest.raises(DataError, match=said) as caught:
        HuggingFace(path=tmp_path / "d", **fields).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"bytes": b"text", "path": None}, "picture 0 of 'train' cannot be decoded"),
        ({"bytes": None, "path": __file__}, "picture 0 of 'train': expected the bytes of a picture, found only a path"),
        (None, "picture 0 of 'train': expected the bytes of a picture, found nothing; save them in the dataset"),
    ],
)
def test_a_picture_that_is_none_is_named_when_it_is_read(tmp_path: Path, row: Any, said: str) -> None:
    """By its split and number, since it has no name."""
    files = datasets.Features({"image": datasets.Image(decode=False)})
    rows = datasets.Dataset.from_dict({"image": [row] * 20}, features=files)
    with pytest.MonkeyPatch.context() as patch:  # the package would look for files that are named only by a path
        patch.setattr("datasets.Image.embed_storage", lambda self, storage, *given, **more: storage)
        rows.cast_column("image", datasets.Image()).save_to_disk(tmp_path / "d")
    with pytest.raises(DataError, match=said):
        whole(HuggingFace(path=tmp_path / "d", validation=0, test=0, split="block").load().split("train").stored)


def test_without_the_package_that_is_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it."""
    monkeypatch.setattr("genframe_data.huggingface.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"need the package datasets.*pip install 'genframe-data\[huggingface\]'"):
        HuggingFace(path=saved).load()


def test_check_says_what_would_be_read(saved: Path, genframe: Callable[..., Any]) -> None:
    """Without torch."""
    told = genframe("check", "vae-photos", "data={type: data/huggingface, size: 64, path: " + json.dumps(str(saved)) + "}")
    assert told.startswith("took 24 pictures\n")
