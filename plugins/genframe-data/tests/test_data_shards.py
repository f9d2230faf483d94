"""Pictures packed into tar files: read by their places, in any order, by any number of threads."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import DataError, SpecError, resume, train
from genframe.cache import entries
from genframe.cli import main
from genframe.roles import whole
from genframe.types import caption_text
from genframe_data import Images, Shards


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures of two classes, with captions."""
    for number in range(20):
        path = tmp_path / "p" / ("fox", "owl")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
        path.with_suffix(".txt").write_text(f"picture {number}")
    return tmp_path / "p"


@pytest.fixture
def packed(folder: Path, genframe: Callable[..., Any]) -> Path:
    """The same, packed with their classes."""
    out = folder.parent / "shards"
    genframe("shards", folder, out, "labels=true", "validation=3", "test=4", "--per-shard", "8", "--json")
    return out


def test_they_are_the_pictures_of_the_folder(folder: Path, packed: Path) -> None:
    """Pixels, classes and splits are those that data/images finds, and nothing goes into the cache."""
    fields: dict[str, Any] = {"size": 8, "labels": True}
    before = len(list(entries()))
    spec = Shards(path=packed, **fields)
    data = spec.load()
    assert len(list(entries())) == before
    images = Images(path=folder, validation=3, test=4, **fields).load()
    assert data.space == spec.data_space() == images.space
    assert data.condition_space == spec.condition_space() == images.condition_space
    assert data.classes == spec.attributes()["label"] == ("fox", "owl")
    assert str(spec.report()) == str(data.report) == "took 20 pictures of 2 classes in 3 shards"
    for name, split in data.splits.items():
        other = images.split(name)
        assert torch.equal(whole(split.stored), whole(other.stored))
        assert torch.equal(whole(split.condition), whole(other.condition))  # type: ignore[arg-type]
    assert (
        Shards(path=packed, size=16, labels=True).load().split("train").protocol["data"] != data.split("train").protocol["data"]
    )


def test_the_files_are_those_of_webdataset(packed: Path) -> None:
    """Members of one picture have one key; the class is beside it."""
    with tarfile.open(packed / "00001.tar") as tar:
        names = tar.getnames()
        assert names[:2] == ["00000008.png", "00000008.cls"]
        assert len(names) == 16
        member = tar.extractfile("00000008.cls")
        assert member is not None
        assert member.read() in (b"fox", b"owl")
    head = json.loads((packed / "index.json").read_text())
    assert head["splits"] == {"train": 13, "validation": 3, "test": 4}


def test_captions_are_packed(folder: Path, genframe: Callable[..., Any], tmp_path: Path) -> None:
    """In the index and beside the picture."""
    genframe("shards", folder, tmp_path / "c", "captions=true", "validation=0", "test=0", "split=block")
    data = Shards(path=tmp_path / "c", size=8, captions=True, caption_length=20).load()
    condition = data.split("train").batch(slice(0, 2)).condition
    assert condition is not None
    assert [caption_text(row) for row in condition.tolist()] == ["picture 0", "picture 2"]
    with pytest.raises(DataError, match="a caption has 10 bytes; say caption_length: 10"):
        Shards(path=tmp_path / "c", size=8, captions=True, caption_length=5).load()
    with pytest.raises(DataError, match="expected classes, found none; pack with labels=true"):
        Shards(path=tmp_path / "c", labels=True).condition_space()


def test_a_run_on_them_is_resumed_bit_for_bit(packed: Path, tmp_path: Path) -> None:
    """In mid-epoch, with another number of threads, and windows at random."""
    network = {"type": "nets/mlp", "hidden": [8]}
    experiment: dict[str, Any] = {
        "name": "shards",
        "data": {"type": "data/shards", "path": str(packed), "size": 8, "crop": "random", "flip": "horizontal"},
        "model": {"encoder": {**network, "dim": 2}, "decoder": network, "loss": "vae/reconstruction"},
        "train": {"steps": 9, "batch_size": 4, "checkpoint_every": 4},
    }
    run = train(experiment, folder=tmp_path / "whole")
    experiment["train"]["steps"] = 5
    train(experiment, folder=tmp_path / "cut")
    resumed = resume(tmp_path / "cut", ["train.steps=9", "train.workers=5"])
    for name, tensor in run.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


@pytest.mark.parametrize(
    ("file", "harm", "said"),
    [
        (
            "00001.tar",
            lambda path: path.write_bytes(path.read_bytes()[:-512]),
            r"00001\.tar: expected [0-9]+ bytes, found [0-9]+ bytes;",
        ),
        ("00001.tar", Path.unlink, r"00001\.tar: expected [0-9]+ bytes, found nothing"),
        ("index.jsonl", lambda path: path.write_text("[]"), r"index\.jsonl: is damaged, or of other shards"),
        ("index.json", lambda path: path.write_text("[1]"), r"index\.json: expected the index of packed pictures"),
        ("index.json", lambda path: path.write_text("[" * 100_000), r"index\.json: expected the index of packed pictures"),
        ("index.json", Path.unlink, r"index\.json: expected an index, found nothing that can be read"),
    ],
)
def test_what_is_missing_or_damaged_is_named(packed: Path, file: str, harm: Callable[[Path], Any], said: str) -> None:
    """Before anything is trained."""
    harm(packed / file)
    with pytest.raises(DataError, match=said):
        Shards(path=packed, size=8).load()


def test_a_picture_that_is_damaged_is_named_when_it_is_read(packed: Path) -> None:
    """By its checksum."""
    data = Shards(path=packed, size=8).load()
    content = bytearray((packed / "00000.tar").read_bytes())
    content[700] ^= 1
    (packed / "00000.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"00000\.tar: (fox|owl)/[0-9]+\.png at byte 512 is damaged; pack the pictures again"):
        data.split("train").batch(slice(0, 1))


def test_pictures_that_cannot_be_read_are_refused_or_left_out(
    folder: Path, genframe: Callable[..., Any], tmp_path: Path
) -> None:
    """All are named at once, and nothing is left behind."""
    for name in ("a.png", "b.png"):
        (folder / "fox" / name).write_bytes(b"nothing")
    assert main(["shards", str(folder), str(tmp_path / "out")]) == 4
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()
    assert genframe("shards", folder, tmp_path / "out", "--skip-damaged", "--json")["skipped"] == ["fox/a.png", "fox/b.png"]


def test_nothing_is_ever_overwritten(folder: Path, genframe: Callable[..., Any], tmp_path: Path) -> None:
    """A folder with something in it is refused, and so is what a stopped packing has left."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "00000.tar").write_text("precious")
    assert "not an empty folder" in genframe("shards", folder, tmp_path / "mine", code=7)
    assert (tmp_path / "mine" / "00000.tar").read_text() == "precious"
    (tmp_path / "new.partial").mkdir()
    assert "was left by a packing that was stopped; remove it" in genframe("shards", folder, tmp_path / "new", code=7)


def test_greys_of_more_than_8_bits_need_a_range(tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """The range of all is not known when one is read."""
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000).save(tmp_path / "deep" / "0.png")
    genframe("shards", tmp_path / "deep", tmp_path / "s", "validation=0", "test=0")
    with pytest.raises(DataError, match="greys from 0 to 60000; say the range of all pictures as 'intensities'"):
        Shards(path=tmp_path / "s", size=4, colour="grey").load().split("train").batch(slice(0, 1))
    read = Shards(path=tmp_path / "s", size=4, colour="grey", intensities=(0, 60000)).load().split("train").batch(slice(0, 1))
    assert round(float(read.x.max()), 3) == 1


def test_fields_that_mean_nothing_here_are_refused() -> None:
    """Splits were made when the pictures were packed."""
    with pytest.raises(SpecError, match="the splits are those that were packed"):
        Shards(path=Path("x"), validation=0.1)
