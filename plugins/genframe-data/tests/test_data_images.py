"""Folders of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import Categorical, DataError, Real
from genframe_data import Images
from genframe_data import images as module


def _paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three red pictures and two blue ones, each colour in a folder, and a hidden file."""
    for number in range(3):
        _paint(tmp_path / "red" / f"{number}.png", (255, 0, 0))
    for number in range(2):
        _paint(tmp_path / "blue" / f"{number}.bmp", (0, 0, 255))
    (tmp_path / "red" / ".hidden.png").write_bytes(b"junk")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_pictures_are_read_in_the_order_of_their_names(folder: Path) -> None:
    """Blue comes before red; the shape is that of 'size', height first."""
    spec = Images(path=folder, size=(4, 6), labels=True, split="block", validation=0, test=0)
    data = spec.load()
    assert data.space == spec.data_space() == Real((3, 4, 6), 0.0, 1.0, levels=256)
    assert data.condition_space == spec.condition_space() == Categorical((), 2)
    batch = data.split("train").batch(slice(None))
    assert batch.condition is not None
    assert batch.condition.tolist() == [0, 0, 1, 1, 1]
    assert batch.x.mean((2, 3)).tolist() == [[0, 0, 1]] * 2 + [[1, 0, 0]] * 3


def test_grey_is_one_channel_of_luma(folder: Path) -> None:
    """Red has 299 thousandths of luma (ITU-R 601), blue 114."""
    spec = Images(path=folder, size=(2, 2), colour="grey", split="block", validation=0, test=0)
    levels = spec.load().split("train").stored
    assert levels.shape == (5, 1, 2, 2)
    assert levels[0].unique().tolist() == [29]
    assert levels[4].unique().tolist() == [76]


def test_a_picture_is_cut_centrally_then_resized(tmp_path: Path) -> None:
    """Of a picture with two black halves at the sides, a square keeps the white middle."""
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 8:16] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    _paint(tmp_path / "z.png", (0, 0, 0))
    stored = Images(path=tmp_path, size=(8, 8), colour="grey", split="block", validation=0, test=1).load().split("train").stored
    assert torch.equal(stored, torch.full((1, 1, 8, 8), 255, dtype=torch.uint8))


def _refusal(spec: Images) -> str:
    with pytest.raises(DataError) as caught:
        spec.load()
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_a_picture_that_cannot_be_read_is_named(folder: Path, content: bytes) -> None:
    """An empty file, text and a broken header are named with what would do."""
    path = folder / "red" / "1.png"
    path.write_bytes(content)
    message = _refusal(Images(path=folder))
    assert message.startswith(f"{path}: expected a picture, found one that cannot be read (")
    assert message.endswith("; hint or remove it")


def test_a_truncated_picture_is_named(folder: Path) -> None:
    """Half a file is not padded with grey."""
    path = folder / "red" / "1.png"
    noise = np.random.RandomState(0).randint(0, 256, (40, 40)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:600])
    assert _refusal(Images(path=folder)).startswith(f"{path}: expected a picture, found one that cannot be read (")


def test_a_decompression_bomb_is_refused(folder: Path) -> None:
    """A file of a few hundred kilobytes that unpacks to 100 million pixels is refused by its header."""
    path = folder / "red" / "1.png"
    Image.new("1", (10_000, 10_000)).save(path)
    assert "cannot be read" in _refusal(Images(path=folder))


def test_a_picture_above_our_own_limit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on pixels is compared before anything is unpacked."""
    monkeypatch.setattr(module, "LARGEST", 23)
    path = folder / "blue" / "0.bmp"
    assert _refusal(Images(path=folder)) == (
        f"{path}: expected a picture, found one that cannot be read (6×4 pixels, more than 23); hint or remove it"
    )


def test_sixteen_bits_are_not_clipped(folder: Path) -> None:
    """A picture of 16 bits is refused: 8 bits would clip it."""
    path = folder / "blue" / "0.png"
    Image.fromarray(np.full((4, 4), 60_000, np.uint16)).save(path)
    assert "its mode is I;16, which 8 bits cannot hold" in _refusal(Images(path=folder))


def test_missing_pictures_are_found_before_loading(tmp_path: Path) -> None:
    """No folder, no pictures and no classes are refused when the experiment is checked."""
    with pytest.raises(DataError, match=r"none: expected a folder, found nothing; give a folder of pictures as 'path'$"):
        Images(path=tmp_path / "none").data_space()
    with pytest.raises(DataError, match=r": expected pictures \(.bmp, .*\), found none; give a folder"):
        Images(path=tmp_path).data_space()
    with pytest.raises(DataError, match="expected a subfolder for each of at least two classes, found 0; leave 'labels' out"):
        Images(path=tmp_path, labels=True).condition_space()


def test_a_picture_outside_the_classes_is_refused(folder: Path) -> None:
    """With labels every picture lies in a class's folder."""
    path = _paint(folder / "stray.png", (0, 0, 0))
    assert _refusal(Images(path=folder, labels=True)) == (
        f"{path}: expected pictures in the subfolders blue, red only; move it or leave 'labels' out"
    )
