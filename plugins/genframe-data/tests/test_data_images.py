"""Folders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from genframe import Categorical, DataError, Real
from genframe.roles import whole
from genframe_data import Images, decoding, picture_cache


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
    levels = whole(spec.load().split("train").stored)
    assert levels.shape == (5, 1, 2, 2)
    assert levels[0].unique().tolist() == [29]
    assert levels[4].unique().tolist() == [76]


def test_a_picture_is_cut_centrally_then_resized(tmp_path: Path) -> None:
    """Of a picture with two black halves at the sides, a square keeps the white middle."""
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 8:16] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    _paint(tmp_path / "z.png", (0, 0, 0))
    spec = Images(path=tmp_path, size=(8, 8), colour="grey", split="block", validation=0, test=1)
    stored = whole(spec.load().split("train").stored)
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
    assert message.endswith("; repair or remove it, or say on_error: skip")


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
    monkeypatch.setattr(decoding, "LARGEST", 24)
    path = _paint(folder / "blue" / "0.bmp", (0, 0, 0), (5, 5))
    assert _refusal(Images(path=folder)) == (
        f"{path}: expected a picture, found one that cannot be read (5×5 pixels, more than 24); "
        "repair or remove it, or say on_error: skip"
    )


def _scans(folder: Path, n: int = 4) -> list[np.ndarray]:
    """Write 12-bit scans in 16-bit files and return them."""
    arrays = [np.arange(16, dtype=np.uint16).reshape(4, 4) * 100 + 1000 + number for number in range(n)]
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{number}.png")
    return arrays


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_sixteen_bits_are_scaled_from_the_range_of_the_set(tmp_path: Path, colour: Any) -> None:
    """The least value of all pictures is 0, the greatest 255, and the protocol says which they are."""
    arrays = np.stack(_scans(tmp_path)).astype(float)
    data = Images(path=tmp_path, size=(4, 4), colour=colour, split="block", validation=0, test=1).load()
    train = data.split("train")
    assert train.protocol["intensities"] == [1000, 2503]
    expected = np.rint((arrays[:3, None] - 1000) / 1503 * 255)
    assert whole(train.stored).shape == (3, 1 if colour == "grey" else 3, 4, 4)
    assert np.array_equal(whole(train.stored).numpy(), np.broadcast_to(expected, whole(train.stored).shape))


def test_a_range_that_is_given_is_the_one(tmp_path: Path) -> None:
    """Values beyond it are clipped."""
    _scans(tmp_path)
    spec = Images(path=tmp_path, size=(4, 4), colour="grey", intensities=(1000, 2000), split="block", validation=0, test=0)
    split = spec.load().split("train")
    assert split.protocol["intensities"] == [1000, 2000]
    assert whole(split.stored)[0].flatten().tolist() == [min(round(number * 25.5), 255) for number in range(16)]
    with pytest.raises(ValueError, match="expected the lower before the higher"):
        Images(path=tmp_path, intensities=(3, 2))


def test_pictures_of_two_depths_are_refused(folder: Path) -> None:
    """It cannot be told which value of 16 bits looks like which of 8."""
    _scans(folder / "red", 1)
    assert "expected pictures of one depth, found 1 with more than 8 bits beside 4 with 8" in _refusal(Images(path=folder))


def test_transparency_lies_over_the_background(tmp_path: Path) -> None:
    """Colours that are hidden under transparent pixels are never seen; the protocol says the background."""
    noise = np.random.RandomState(0).randint(0, 256, (8, 8, 4)).astype(np.uint8)
    noise[..., 3] = 0
    noise[2:6, 2:6] = (220, 30, 30, 255)
    Image.fromarray(noise).save(tmp_path / "0.png")
    spec = Images(path=tmp_path, size=(8, 8), split="block", validation=0, test=0)
    for background, level in (("white", 255), ("#000000", 0), ("#336633", None)):
        split = spec.model_copy(update={"background": background}).load().split("train")
        corners = whole(split.stored)[0, :, [0, 0, 7, 7], [0, 7, 0, 7]]
        expected = torch.tensor([level] * 3 if level is not None else [0x33, 0x66, 0x33])
        assert torch.equal(corners.long(), expected[:, None].expand(3, 4))
        assert whole(split.stored)[0, :, 4, 4].tolist() == [220, 30, 30]
        assert split.protocol["background"] == background


def test_opaque_pictures_do_not_depend_on_the_background(folder: Path) -> None:
    """The protocol of pictures without transparency says nothing of a background."""
    Image.new("RGBA", (4, 4), (9, 8, 7, 255)).save(folder / "red" / "9.png")
    specs = [Images(path=folder, background=background) for background in ("white", "black")]
    first, second = (spec.load().split("train") for spec in specs)
    assert torch.equal(whole(first.stored), whole(second.stored))
    assert "background" not in first.protocol
    with pytest.raises(ValueError, match="background"):
        Images(path=folder, background="colour")


def _damaged(folder: Path) -> Path:
    """Write thirty photos, three of them cut off, an empty file and a page of the web."""
    noise = np.random.RandomState(0).randint(0, 256, (40, 40, 3)).astype(np.uint8)
    for number in range(30):
        path = folder / f"{number:03}.jpg"
        Image.fromarray(noise).save(path)
        if number in (7, 15, 22):
            path.write_bytes(path.read_bytes()[:-600])
    (folder / "030.jpg").write_bytes(b"")
    (folder / "031.jpg").write_text("<html>404</html>")
    return folder


def test_all_damaged_pictures_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the number of all pictures; of many the first twenty."""
    lines = _refusal(Images(path=_damaged(tmp_path))).splitlines()
    assert lines[0] == (f"{tmp_path}: 5 of 32 pictures cannot be read; repair or remove them, or say on_error: skip")
    assert [line.split(":")[0].strip() for line in lines[1:]] == [f"{number:03}.jpg" for number in (7, 15, 22, 30, 31)]
    monkeypatch.setattr(picture_cache, "SHOWN", 2)
    assert _refusal(Images(path=tmp_path)).splitlines()[3:] == ["  and 3 more"]


def test_damaged_pictures_can_be_left_out(tmp_path: Path) -> None:
    """The protocol and the report say how many, and which."""
    data = Images(path=_damaged(tmp_path), on_error="skip", validation=0, test=0).load()
    assert len(data.split("train")) == 27
    names = [f"{number:03}.jpg" for number in (7, 15, 22, 30, 31)]
    assert data.split("train").protocol["skipped"] == {"count": 5, "files": names}
    assert str(data.report) == "took 27 pictures; skipped 5 files: 5 damaged"


def test_large_jpegs_are_decoded_small(tmp_path: Path) -> None:
    """What is learned of them differs by rounding from what a full decoding gives."""
    y, x = np.mgrid[:600, :800]
    photo = np.stack([x * 255 / 800, y * 255 / 600, 128 + 60 * np.sin(x / 90)], -1).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "0.jpg", quality=95)
    stored = whole(Images(path=tmp_path, size=(16, 16), validation=0, test=0).load().split("train").stored)[0]
    with Image.open(tmp_path / "0.jpg") as image:
        full = np.asarray(ImageOps.fit(image, (16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert np.abs(stored.numpy().astype(int) - full).max() <= 3


def test_missing_pictures_are_found_before_loading(tmp_path: Path) -> None:
    """No folder, no pictures and no classes are refused when the experiment is checked."""
    with pytest.raises(DataError, match=r"none: expected a folder, found nothing; give a folder of pictures as 'path'$"):
        Images(path=tmp_path / "none").data_space()
    with pytest.raises(DataError, match=r": expected pictures \(.bmp, .*\), found none; give a folder"):
        Images(path=tmp_path).data_space()
    _paint(tmp_path / "red" / "0.png", (0, 0, 0))
    with pytest.raises(DataError, match="with pictures for each of at least two classes, found 1; leave 'labels' out"):
        Images(path=tmp_path, labels=True).condition_space()


def test_a_picture_outside_the_classes_is_refused(folder: Path) -> None:
    """With labels every picture lies in a class's folder."""
    path = _paint(folder / "stray.png", (0, 0, 0))
    assert _refusal(Images(path=folder, labels=True)) == (
        f"{path}: expected pictures in the subfolders blue, red only; move them or leave 'labels' out"
    )
