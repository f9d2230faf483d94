"""Pictures as people have them: transparent, of 16 bits, damaged, large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import DataError, SpecError
from genframe_data import Images


def _paint(path: Path, colour: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path)
    return path


def _deep(folder: Path, *values: int) -> Path:
    folder.mkdir(exist_ok=True)
    for number, value in enumerate(values):
        Image.fromarray(np.full((4, 4), value, np.uint16)).save(folder / f"{number}.png")
    return folder


def test_scans_of_sixteen_bits_are_read_by_the_range_of_the_set(tmp_path: Path) -> None:
    """The darkest value of all scans becomes black and the brightest white; the protocol says which they are."""
    y, x = np.mgrid[:32, :32]
    scans = np.stack([(1200 + 300 * np.sin(x / 3 + i) + 200 * np.cos(y / 5)).astype(np.uint16) for i in range(20)])
    for number, scan in enumerate(scans):
        Image.fromarray(scan).save(tmp_path / f"{number:02}.png")
    split = Images(path=tmp_path, colour="grey", split="block", validation=0, test=0).load().split("train")
    low, high = int(scans.min()), int(scans.max())
    levels = np.rint((scans - float(low)) * 255 / (high - low)).astype(np.uint8)
    assert np.array_equal(split.stored.numpy()[:, 0], levels)
    assert split.protocol["grey_range"] == [low, high] == [700, 1699]


def test_values_beyond_a_given_range_are_clipped_and_never_wrapped(tmp_path: Path) -> None:
    """A field says which values are black and white, in every channel."""
    _deep(tmp_path, 0, 1000, 2000, 3000, 65535)
    spec = Images(path=tmp_path, size=(2, 2), grey_range=(1000, 3000), split="block", validation=0, test=0)
    split = spec.load().split("train")
    assert split.stored[:, :, 0, 0].tolist() == [[0] * 3, [0] * 3, [128] * 3, [255] * 3, [255] * 3]
    assert split.protocol["grey_range"] == [1000, 3000]


def test_a_range_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    """Scans of one value have no range, and beside pictures of 8 bits it could be either's."""
    spec = Images(path=_deep(tmp_path / "scans", 700, 700))
    with pytest.raises(DataError, match=r"found 700 everywhere; say which values .*grey_range: \[0, 65535\]"):
        spec.load()
    _paint(tmp_path / "scans" / "z.png", (0, 0, 0))
    with pytest.raises(DataError, match=r"found 2 of 3 with more than 8 bits; say which .*grey_range: \[0, 65535\]"):
        spec.load()
    with pytest.raises(SpecError, match="grey_range: expected the values of black and white, found"):
        Images(path=tmp_path, grey_range=(5, 5))


def test_floats_that_are_not_finite_are_damage(tmp_path: Path) -> None:
    """A float TIFF with NaN has no range."""
    Image.fromarray(np.array([[0, np.nan]], np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(DataError, match=r"cannot be read \(it holds NaN or infinity\)"):
        Images(path=tmp_path).load()


@pytest.mark.parametrize(
    ("background", "corner"), [("white", [255, 255, 255]), ("#102030", [16, 32, 48]), ((1, 2, 3), [1, 2, 3])]
)
def test_sprites_are_composited_over_the_background(tmp_path: Path, background: str, corner: list[int]) -> None:
    """Red squares on random hidden colours: nothing of these is left, and the protocol says over what the sprites lie."""
    stream = np.random.RandomState(0)
    for number in range(4):
        pixels = np.zeros((32, 32, 4), np.uint8)
        pixels[..., :3] = stream.randint(0, 255, (32, 32, 3))
        pixels[8:24, 8:24] = (220, 30, 30, 255)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    spec = Images(path=tmp_path, background=background, split="block", validation=0, test=0)
    split = spec.load().split("train")
    expected = torch.tensor(corner, dtype=torch.uint8).view(3, 1, 1).repeat(1, 32, 32)
    expected[:, 8:24, 8:24] = torch.tensor([220, 30, 30], dtype=torch.uint8).view(3, 1, 1)
    assert torch.equal(split.stored, expected.expand(4, 3, 32, 32))
    assert split.protocol["background"] == corner


def test_grey_and_palette_sprites_are_composited_too(tmp_path: Path) -> None:
    """Half transparent black over white is mid grey; a palette's transparent colour is the background."""
    Image.new("LA", (4, 4), (0, 128)).save(tmp_path / "a.png")
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 50, 60, 70])
    palette.save(tmp_path / "b.png", transparency=1)
    stored = Images(path=tmp_path, size=(4, 4), split="block", validation=0, test=0).load().split("train").stored
    assert stored[:, :, 0, 0].tolist() == [[127] * 3, [255] * 3]


def test_opaque_pictures_are_read_as_before(tmp_path: Path) -> None:
    """A picture whose alpha is full everywhere has no background, and the protocol says none."""
    pixels = np.random.RandomState(0).randint(0, 256, (4, 4, 4)).astype(np.uint8)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    split = Images(path=tmp_path, size=(4, 4), split="block", validation=0, test=0).load().split("train")
    assert np.array_equal(split.stored[0].numpy(), pixels[..., :3].transpose(2, 0, 1))
    assert "background" not in split.protocol


def test_an_unknown_colour_is_refused(tmp_path: Path) -> None:
    """A name that is none, and a colour that is transparent itself."""
    for background in ("no colour", "#ffffff00"):
        with pytest.raises(SpecError, match=r"background: there is no colour '.*'; name another, or say such as"):
            Images(path=tmp_path, background=background)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Thirty photos, three of them truncated, an empty file and a web page that is called .jpg."""
    for number in range(30):
        noise = np.random.RandomState(number).randint(0, 256, (64, 64, 3)).astype(np.uint8)
        path = tmp_path / f"{number:03}.jpg"
        Image.fromarray(noise).save(path, quality=95)
        if number in (7, 15, 22):
            path.write_bytes(path.read_bytes()[:-600])
    (tmp_path / "030.jpg").write_bytes(b"")
    (tmp_path / "031.jpg").write_text("<html><body>404 Not Found</body></html>")
    return tmp_path


def _refusal(spec: Images) -> str:
    with pytest.raises(DataError) as caught:
        spec.load()
    return str(caught.value)


def test_all_damaged_pictures_are_named_at_once(damaged: Path) -> None:
    """Each on a line with its reason, after their number and that of the good ones, and with the field that leaves them out."""
    first, *lines = _refusal(Images(path=damaged)).splitlines()
    assert first == (
        f"{damaged}: expected pictures, found 5 that cannot be read and 27 that can; "
        "restore or remove them, or say on_error: skip to leave them out:"
    )
    assert [line.split(": ")[0] for line in lines] == [f"  {damaged}/0{n}.jpg" for n in ("07", "15", "22", "30", "31")]
    assert [line.split(": ")[1] for line in lines[3:]] == ["an empty file", "no format that is read"]
    assert all("truncated" in line for line in lines[:3])


def test_twenty_damaged_pictures_are_named_at_most(tmp_path: Path) -> None:
    """Of 25 five are counted only."""
    for number in range(25):
        (tmp_path / f"{number}.png").write_bytes(b"junk")
    first, *lines = _refusal(Images(path=tmp_path)).splitlines()
    assert first.endswith("found 25 that cannot be read and 0 that can; restore or remove them:")
    assert (len(lines), lines[-1]) == (21, "  and 5 more")


def test_damaged_pictures_can_be_left_out(damaged: Path) -> None:
    """The protocol counts them and the report names them; the good ones are all there, in order."""
    data = Images(path=damaged, on_error="skip", size=(64, 64), split="block", validation=0, test=0).load()
    split = data.split("train")
    assert (len(split), split.protocol["damaged"]) == (27, 5)
    assert data.report == ("took 32 pictures", "left out 5 damaged: 007.jpg, 015.jpg, 022.jpg, 030.jpg, 031.jpg")
    for number in (7, 15, 22, 30, 31):
        (damaged / f"{number:03}.jpg").unlink()
    good = Images(path=damaged, size=(64, 64), split="block", validation=0, test=0).load().split("train")
    assert torch.equal(split.stored, good.stored)
    assert "damaged" not in good.protocol


def test_a_class_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    """Left out whole, a class would be one of which there are no pictures."""
    _paint(tmp_path / "red" / "0.png", (255, 0, 0))
    _paint(tmp_path / "blue" / "0.png", (0, 0, 255)).write_bytes(b"junk")
    message = _refusal(Images(path=tmp_path, labels=True, on_error="skip"))
    assert message == f"{tmp_path}: expected pictures of every class, found none that can be read of blue"


def test_pictures_that_do_not_fit_into_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first is decoded."""
    _paint(tmp_path / "a.png", (0, 0, 0)).write_bytes(b"junk")
    monkeypatch.setattr("genframe_data.pictures.memory_left", lambda: 3000)
    assert _refusal(Images(path=tmp_path)) == (
        f"{tmp_path}: expected pictures that fit into memory, found 1 that take 3072 bytes, and 3000 are left; "
        "make 'size' smaller"
    )


def test_large_photos_can_be_decoded_at_a_fraction(tmp_path: Path) -> None:
    """A smooth photo differs by few levels, and only where the field says so."""
    y, x = np.mgrid[:512, :512]
    Image.fromarray((128 + 100 * np.sin(x / 80) * np.cos(y / 60)).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    whole, draft = (
        Images(path=tmp_path, colour="grey", draft=draft, validation=0, test=0).load().split("train") for draft in (False, True)
    )
    difference = (whole.stored.int() - draft.stored.int()).abs()
    assert 0 < int(difference.max()) <= 4
    assert ("draft" in whole.protocol, draft.protocol["draft"]) == (False, True)
