"""Windows, mirror images and colours of training images; held-out ones stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

from genframe import Dataset, SpecError
from genframe.roles import whole
from genframe_data import Images, Jitter, Npz
from genframe_data.prepare import Scaled
from genframe_data.variation import Cropped, Flipped, Recoloured


def plain(stored: Tensor, generator: Generator | None) -> Tensor:
    """Return levels as floats."""
    return stored.float()


def seeded(seed: int = 0) -> Generator:
    """Return a generator."""
    return Generator().manual_seed(seed)


PIXELS = torch.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8).to(torch.uint8)


def test_half_of_the_images_are_mirrored_whole() -> None:
    """Each is as it was or its mirror image, all channels alike; the share is a half."""
    x = PIXELS[:1].expand(2000, -1, -1, -1)
    found = Flipped(plain)(x, seeded())
    mirrored = (found == x.flip(-1)).flatten(1).all(1)
    assert bool((mirrored | (found == x).flatten(1).all(1)).all())
    assert abs(float(mirrored.double().mean()) - 0.5) < 4 * 0.5 / 2000**0.5


def test_a_window_is_at_every_place_equally_often() -> None:
    """Of 6x8 a window of 5x5 has two places down and four across."""
    x = PIXELS[:1].expand(4000, -1, -1, -1)
    found = Cropped((5, 5), plain, random=True)(x, seeded())
    assert found.shape == (4000, 3, 5, 5)
    windows = {
        (top, left): (found == x[:1, :, top : top + 5, left : left + 5]).flatten(1).all(1)
        for top in (0, 1)
        for left in range(4)
    }
    counts = torch.tensor([int(here.sum()) for here in windows.values()])
    assert int(counts.sum()) == 4000
    assert float(((counts - 500) ** 2 / 500).sum()) < 24.3  # chi-squared, 7 degrees of freedom, p = 0.001


def test_held_out_images_are_seen_through_the_middle() -> None:
    """The window of a held-out image has one place."""
    found = Cropped((4, 4), plain, random=False)(PIXELS, None)
    assert torch.equal(found, PIXELS[:, :, 1:5, 2:6].float())


def test_colours_change_as_the_fields_say() -> None:
    """Brightness keeps ratios, contrast the mean, saturation the grey; values stay whole levels within their ends."""
    x = torch.randint(60, 180, (64, 3, 5, 5), generator=seeded()).to(torch.uint8)
    bright = Recoloured(Jitter(brightness=0.2, contrast=0, saturation=0), 255, plain, rounded=False)(x, seeded(1)) / x
    factors = bright[:, 0, 0, 0]
    torch.testing.assert_close(bright, factors.view(-1, 1, 1, 1).expand_as(bright))
    assert 0.8 <= float(factors.min()) < 0.85
    assert 1.15 < float(factors.max()) <= 1.2
    contrast = Recoloured(Jitter(brightness=0, contrast=0.3, saturation=0), 255, plain, rounded=False)(x, seeded(2))
    torch.testing.assert_close(contrast.mean((1, 2, 3)), x.float().mean((1, 2, 3)))
    luma = torch.tensor((0.299, 0.587, 0.114)).view(3, 1, 1)
    grey = Recoloured(Jitter(brightness=0, contrast=0, saturation=0.3), 255, plain, rounded=False)(x, seeded(3))
    torch.testing.assert_close((grey * luma).sum(1), (x.float() * luma).sum(1))
    rounded = Recoloured(Jitter(brightness=0.9), 17, plain)(x % 17, seeded(4))
    assert torch.equal(rounded, rounded.round())
    assert float(rounded.max()) <= 17


def photos(folder: Path, count: int = 12) -> Path:
    """Make photos whose left half is dark."""
    folder.mkdir()
    for number in range(count):
        pixels = np.full((40, 60, 3), 200, np.uint8)
        pixels[:, :30] = number
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def side(x: Tensor) -> Tensor:
    """Return which half of each image is dark: 0 for the left one."""
    return (x[..., : x.shape[-1] // 2].mean((1, 2, 3)) > x[..., x.shape[-1] // 2 :].mean((1, 2, 3))).long()


def test_a_flip_reaches_training_batches_and_nothing_else(tmp_path: Path) -> None:
    """Neither validation nor test, nor the training data as metrics and priors see them."""
    data = Images(path=photos(tmp_path / "p"), size=16, flip="horizontal", validation=3, test=3).load()
    assert data.split("train").protocol["flip"] == "horizontal"
    found = torch.cat([side(data.split("train").training_batch(torch.arange(6), seeded(seed)).x) for seed in range(20)])
    assert 0 < int(found.sum()) < len(found)
    for name, split in data.splits.items():
        assert not side(split.batch(slice(None)).x).any()
        if name != "train":
            assert split.augment is None
            assert "flip" not in split.protocol


@pytest.mark.parametrize("held_out", ["train", "test"])
def test_a_window_at_random_is_of_a_larger_picture(tmp_path: Path, held_out: str) -> None:
    """All are of the size that the space says."""
    spec = Images(path=photos(tmp_path / "p"), size=(16, 24), crop="random", margin=0.25, validation=0, test=4)
    data = spec.load()
    split = data.split(held_out)
    assert tuple(split.stored.shape[1:]) == (3, 20, 30)
    assert spec.data_space() == data.space
    assert split.batch(slice(0, 4)).x.shape == (4, 3, 16, 24)
    assert data.split("train").training_batch(torch.arange(3), seeded()).x.shape == (3, 3, 16, 24)


def test_one_number_is_the_size_of_a_square(tmp_path: Path) -> None:
    """As in most libraries."""
    assert Images(path=tmp_path, size=64).size == Images(path=tmp_path, size=(64, 64)).size  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="size"):
        Images(path=tmp_path, size=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(("fit", "edge"), [("cover", (0.2, 0.8)), ("contain", (1.0, 1.0)), ("stretch", (0.2, 0.8))])
def test_a_picture_of_another_shape_is_fitted(tmp_path: Path, fit: Any, edge: tuple[float, float]) -> None:
    """Cut, given borders of the background, or stretched."""
    picture = np.full((20, 40, 3), 51, np.uint8)
    picture[:, 20:] = 204
    Image.fromarray(picture).save(tmp_path / "0.png")
    x = Images(path=tmp_path, size=20, fit=fit, validation=0, test=0).load().split("train").batch(slice(None)).x[0]
    torch.testing.assert_close((float(x[0, 0, 2]), float(x[0, 0, 17])), edge, atol=0.01, rtol=0)


def test_arrays_of_images_can_be_flipped_too(tmp_path: Path) -> None:
    """The field is one of all images."""
    np.savez(tmp_path / "x.npz", x=PIXELS.numpy().transpose(0, 2, 3, 1))
    data: Dataset = Npz(path=tmp_path / "x.npz", layout="NHWC", flip="horizontal", validation=0, test=0).load()
    stored = whole(data.split("train").stored)
    draws = [data.split("train").training_batch(torch.arange(2), seeded(seed)).x for seed in range(8)]
    both = Scaled(256)(stored, None), Scaled(256)(stored.flip(-1), None)
    assert all(any(torch.equal(draw[0], one[0]) for one in both) for draw in draws)
    assert len({draw.numpy().tobytes() for draw in draws}) > 1


def test_colours_of_two_values_are_refused() -> None:
    """Static and thresholded binarisation leave no colours to change."""
    with pytest.raises(SpecError, match="leave one out"):
        Images(path=Path("x"), binarise="threshold", jitter=Jitter())
    with pytest.raises(SpecError, match="keep their shape"):
        Images(path=Path("x"), fit="stretch", crop="random")
