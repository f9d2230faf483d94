"""Augmentation: random affine maps of training images, and of nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genframe import DataError, Dataset, SpecError, generator_for, installed
from genframe.roles import whole
from genframe_data import Augmentation, Digits, Idx, Images, Npz
from genframe_data.affine import AffineMaps, Augmented, warped
from genframe_data.prepare import Scaled

STILL = Augmentation(rotate=0, scale=0, shear=0, shift=0, share=1)
STRONG = Augmentation(rotate=0.5, scale=0.3, shear=0.3, shift=0.1, share=1)


def _maps(angle: float = 0.0, scale: Any = (1, 1), shear: float = 0.0, shift: Any = (0, 0)) -> AffineMaps:
    """Return one map for one image."""
    return AffineMaps(*(torch.tensor([value], dtype=torch.float32) for value in (angle, scale, shear, shift)))


def _image(height: int, width: int) -> torch.Tensor:
    """Return two channels of random levels: (1, 2, H, W)."""
    return torch.randint(0, 256, (1, 2, height, width), generator=torch.Generator().manual_seed(0)).float()


def _train(data: Dataset, seed: int = 0) -> torch.Tensor:
    """Return the training split as a loss is trained on it."""
    split = data.split("train")
    return (split.augment or split.prepare)(whole(split.stored), generator_for("cpu", seed))


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (7, 7)])
def test_quarter_turns_are_those_of_the_array(quarters: int, size: tuple[int, int]) -> None:
    """A turn by a multiple of π/2 is ``rot90`` the other way, for it turns clockwise."""
    x = _image(*size)
    torch.testing.assert_close(warped(x, _maps(quarters * math.pi / 2)), x.rot90(-quarters, (2, 3)), rtol=0, atol=1e-3)


def test_half_turns_keep_pixels_square() -> None:
    """A wide image turned by π is flipped along both axes; turned by π/2 its middle square is turned in itself."""
    x = _image(4, 8)
    torch.testing.assert_close(warped(x, _maps(math.pi)), x.flip(2, 3), rtol=0, atol=1e-3)
    quarter = warped(x, _maps(math.pi / 2))
    torch.testing.assert_close(quarter[..., 2:6], x[..., 2:6].rot90(-1, (2, 3)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("right", [-3, 0, 2])
@pytest.mark.parametrize("down", [-1, 0, 2])
def test_a_shift_by_whole_pixels_moves_the_array(right: int, down: int) -> None:
    """A shift by k of W pixels moves columns by k, rows likewise, and the lowest level comes in from outside."""
    x = _image(4, 8)
    expected = x.roll((down, right), (2, 3))
    expected[:, :, slice(0, down) if down >= 0 else slice(down, None)] = 0
    expected[..., slice(0, right) if right >= 0 else slice(right, None)] = 0
    torch.testing.assert_close(warped(x, _maps(shift=(right / 8, down / 4))), expected, rtol=0, atol=1e-3)


def test_shear_moves_each_row_by_its_distance_from_the_centre() -> None:
    """With a shear of 2, rows one half and three halves of a pixel below the centre move right by 1 and 3, those above left."""
    x = _image(4, 8)
    sheared = warped(x, _maps(shear=2.0), padding="border")
    expected = torch.stack([x[:, :, row, torch.arange(8).sub(2 * row - 3).clamp(0, 7)] for row in range(4)], 2)
    torch.testing.assert_close(sheared, expected, rtol=0, atol=1e-3)


def test_scaling_stretches_about_the_centre() -> None:
    """Twice the width and a height as before: a ramp along the width rises half as fast, and keeps its centre."""
    ramp = torch.arange(8.0).expand(1, 1, 4, 8)
    torch.testing.assert_close(warped(ramp, _maps(scale=(2, 1)), "border"), (ramp - 3.5) / 2 + 3.5, rtol=0, atol=1e-4)
    torch.testing.assert_close(warped(ramp, _maps(scale=(1, 2)), "border"), ramp, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("padding", "outside"), [("zeros", 0.0), ("border", 9.0), ("reflection", 8.0)])
def test_padding_says_what_lies_outside(padding: str, outside: float) -> None:
    """What comes in one pixel beyond the edge is the lowest level, the pixel at the edge, or the one mirrored there."""
    x = torch.tensor([9.0, 8.0, 7.0, 6.0]).expand(1, 1, 4, 4)
    left = {"zeros": 1 / 4, "border": 1 / 4, "reflection": 2 / 4}[padding]
    assert warped(x, _maps(shift=(left, 0)), padding)[0, 0, 0, 0] == pytest.approx(outside, abs=1e-3)


@pytest.mark.parametrize("fields", [{}, {"range": "-1..1"}, {"binarise": "threshold"}])
def test_maps_that_do_nothing_give_the_same_data(fields: dict[str, Any]) -> None:
    """With every parameter zero, data are those without augmentation, to the bit."""
    assert torch.equal(_train(Digits(augment=STILL, **fields).load()), _train(Digits(**fields).load()))


@pytest.mark.parametrize("fields", [{"binarise": "dynamic"}, {"dequantise": True}])
def test_maps_that_do_nothing_leave_the_distribution(fields: dict[str, Any]) -> None:
    """With every parameter zero, the mean of 50 preparations is the stored intensity, to six standard errors."""
    augmented = Digits(augment=STILL, **fields).load()
    drawn = torch.stack([_train(augmented, seed) for seed in range(50)]).mean(0)
    stored = augmented.split("train").stored
    expected = (stored + 0.5) / 17 if "dequantise" in fields else stored / 16
    deviation = 1 / math.sqrt(12 * 50) / 17 if "dequantise" in fields else 1 / math.sqrt(4 * 50)
    assert float((drawn - expected).abs().max()) < 6 * deviation


@pytest.mark.parametrize("fields", [{}, {"range": "-1..1"}, {"binarise": "threshold"}, {"binarise": "dynamic"}])
def test_augmented_data_lie_in_their_space(fields: dict[str, Any]) -> None:
    """The space is that without augmentation, and mapped data have the very floats of its levels, differing from before."""
    augmented, plain = Digits(augment=STRONG, **fields).load(), Digits(**fields).load()
    assert augmented.space == plain.space == Digits(augment=STRONG, **fields).data_space()
    x, before = _train(augmented), _train(plain)
    assert set(x.unique().tolist()) <= set(before.unique().tolist())
    assert float((x != before).float().mean()) > 0.05


@pytest.mark.parametrize("bounds", ["0..1", "-1..1"])
def test_dequantisation_noise_comes_after_rounding(bounds: str) -> None:
    """By one generator, the bin of each dequantised value is the level that the same maps give without dequantisation."""
    fields: dict[str, Any] = {"augment": STRONG, "range": bounds}
    noisy, levels = _train(Digits(dequantise=True, **fields).load()), _train(Digits(**fields).load())
    low, width = (0, 1) if bounds == "0..1" else (-1, 2)
    assert torch.equal(((noisy - low) / width * 17).floor(), ((levels - low) / width * 16).round())


def test_mapped_greys_are_the_probabilities_of_a_dynamic_binarisation() -> None:
    """A picture shifted by half a pixel, binarised: the mean of draws is the mean of neighbours, off the grid."""
    stored = torch.tensor([[0, 1, 16, 3]], dtype=torch.uint8).expand(40_000, 1, 4, 4)
    mapped = warped(stored[:1].float(), _maps(shift=(0.5 / 4, 0)))
    torch.testing.assert_close(mapped[0, 0, 0], torch.tensor([0.0, 0.5, 8.5, 9.5]), rtol=0, atol=1e-3)
    shifting = Augmentation(rotate=0, scale=0, shear=0, shift=0.5 / 4, share=1)
    data = Digits(augment=shifting, binarise="dynamic").load().split("train")
    assert data.augment is not None
    prepared = data.augment(stored, generator_for("cpu", 0)).mean((0, 2)) * 16
    # the shift is uniform up to half a pixel either way: a pixel gives an eighth to each neighbour
    expected = torch.tensor([0, 1, 16, 3]) * 3 / 4 + torch.tensor([1, 16, 3, 0]) / 8 + torch.tensor([0, 0, 1, 16]) / 8
    rows = 3 / 4 + torch.tensor([1, 2, 2, 1]) / 8  # rows at the edge lose an eighth to the outside
    torch.testing.assert_close(prepared[0], expected * rows.mean(), rtol=0, atol=0.15)


def test_only_the_training_split_is_moved() -> None:
    """Validation and test are the same with and without augmentation, to the bit, and only the training protocol says it."""
    augmented, plain = Digits(augment=STRONG).load(), Digits().load()
    for name in ("validation", "test"):
        one, other = (data.split(name).batch(slice(None)).x for data in (augmented, plain))
        assert torch.equal(one, other)
        assert augmented.split(name).protocol == plain.split(name).protocol
    said = {"augmentation": STRONG.model_dump()}
    assert augmented.split("train").protocol == {**plain.split("train").protocol, **said}


def test_the_share_is_moved_and_the_rest_stays() -> None:
    """Of ten data a share of 0.25 moves the first three; of one datum it moves that one."""
    x = Digits().load().split("train").stored[:10]
    prepare = Augmented(STRONG.model_copy(update={"share": 0.25}), Scaled(17), rounded=True)
    for count, moved in ((10, 3), (1, 1)):
        found = prepare(x[:count], generator_for("cpu", 0)) != Scaled(17)(x[:count], None)
        assert found.flatten(1).any(1).tolist() == [True] * moved + [False] * (count - moved)


def test_maps_follow_the_generator_or_the_global_seed() -> None:
    """The same seed gives the same maps, another seed others, by a generator as by torch's own."""
    data = Digits(augment=STRONG).load()
    assert torch.equal(_train(data, 1), _train(data, 1))
    assert not torch.equal(_train(data, 1), _train(data, 2))
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(data.split("train").training_batch(torch.arange(50)).x)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_stored_data_are_not_changed() -> None:
    """Maps are of a copy: what is stored is the same after a batch."""
    split = Digits(augment=STRONG).load().split("train")
    before = split.stored.clone()
    split.training_batch(torch.arange(len(split)))
    assert torch.equal(split.stored, before)


def test_only_losses_see_moved_data() -> None:
    """The training split's ordinary batches are those without augmentation, for priors and references that are fitted."""
    augmented, plain = Digits(augment=STRONG).load().split("train"), Digits().load().split("train")
    assert torch.equal(augmented.batch(slice(None)).x, plain.batch(slice(None)).x)
    assert not torch.equal(augmented.training_batch(torch.arange(99)).x, plain.training_batch(torch.arange(99)).x)


def test_every_kind_of_images_can_be_moved(mnist: Path, tmp_path: Path) -> None:
    """idx files, arrays of bytes and of bools in each image layout, and folders of pictures give data in their space."""
    stream = np.random.RandomState(0)
    pixels = stream.randint(0, 256, (20, 4, 6, 3)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", colour=pixels, grey=pixels[..., 0], mask=pixels[..., 0] > 99)
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{number}.png")
    archive = tmp_path / "x.npz"
    for spec in (
        Idx(path=mnist, augment=STRONG),
        Npz(path=archive, array="colour", layout="NHWC", augment=STRONG),
        Npz(path=archive, array="grey", layout="NHW", augment=STRONG),
        Npz(path=archive, array="mask", layout="NHW", augment=STRONG),
        Images(path=tmp_path / "pictures", size=(6, 4), augment=STRONG),
    ):
        data, plain = spec.load(), spec.model_copy(update={"augment": None}).load()
        x, levels = _train(data), 1 if "mask" in spec.model_dump().values() else 255
        assert tuple(x.shape[1:]) == data.space.shape
        assert torch.equal(x.mul(levels).round().div(levels), x)
        assert not torch.equal(x, _train(plain))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"type": "data/digits", "binarise": "static"},
            "binarise: static draws images once and augment moves them; say binarise: dynamic, or leave one out",
        ),
        ({"type": "data/npz", "path": "x.npz", "layout": "vector"}, "augment moves images, found layout: vector"),
        ({"type": "data/npz", "path": "x.npz", "layout": "NCL"}, "say NHW, NCHW or NHWC, or leave augment out"),
        ({"type": "data/npz", "path": "x.npz", "layout": "NCDHW"}, "augment moves images, found layout: NCDHW"),
        ({"type": "data/toy"}, "unknown field 'augment'"),
        ({"type": "data/table", "path": "x.txt"}, "unknown field 'augment'"),
    ],
)
def test_what_is_not_an_image_cannot_be_moved(data: dict[str, Any], expected: str) -> None:
    """Vectors, sequences, volumes, points and tables are refused, and images that were drawn once."""
    spec = installed().registry("dataset").find(data["type"])
    with pytest.raises(SpecError) as caught:
        spec.model_validate({**data, "augment": {}})
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scale": 1}, "less than 1"),
        ({"share": 0}, "greater than 0"),
        ({"rotate": -0.1}, "greater than or equal to 0"),
        ({"rotation": 0.1}, "unknown field 'rotation'"),
    ],
)
def test_maps_without_sense_are_refused(fields: dict[str, float], expected: str) -> None:
    """An image of no size, a share of nothing and negative bounds are refused by name."""
    with pytest.raises(SpecError) as caught:
        Augmentation.model_validate(fields)
    assert expected in str(caught.value)


def test_floats_cannot_be_moved(tmp_path: Path) -> None:
    """Arrays of floats are taken as they are, so there is no preparation that could move them."""
    np.savez(tmp_path / "x.npz", x=np.zeros((9, 1, 4, 4), np.float32))
    with pytest.raises(DataError, match="expected whole numbers or bools to prepare, found float32; floats"):
        Npz(path=tmp_path / "x.npz", augment=STRONG).data_space()
