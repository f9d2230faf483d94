"""Labels as data, and stacks of images as data with a thousand modes."""

from __future__ import annotations

import pytest
import torch

from genframe import Categorical, DatasetSpec, Real, SpecError, Split
from genframe.experiment.document.loading import check_placed, experiment_from
from genframe_data import Augmentation, Digits, Labels, Stacked, Toy

DIGITS = Digits(labels=True)


def test_labels_and_data_change_places() -> None:
    """A batch's data are the labels, its condition the prepared images."""
    inner, outer = DIGITS.load(), Labels(of=DIGITS).load()
    assert (outer.space, outer.condition_space) == (inner.condition_space, inner.space) == (Categorical((), 10), inner.space)
    rows = torch.tensor([3, 1, 300])
    batch, images = outer.split("test").batch(rows), inner.split("test").batch(rows)
    assert images.condition is not None
    assert batch.condition is not None
    assert torch.equal(batch.x, images.condition)
    assert torch.equal(batch.condition, images.x)


def test_conditions_are_prepared_as_the_data_were() -> None:
    """What a preparation draws comes from the generator; training batches are augmented, and no others."""
    spec = Digits(labels=True, dequantise=True)
    inner, outer = (data.load().split("train") for data in (spec, Labels(of=spec)))
    drawn, expected = (split.batch(slice(0, 9), torch.Generator().manual_seed(1)) for split in (outer, inner))
    assert torch.equal(drawn.condition, expected.x)  # type: ignore[arg-type]
    moved = Labels(of=Digits(labels=True, augment=Augmentation(share=1.0))).load().split("train")
    rows = torch.arange(50)
    assert not torch.equal(moved.training_batch(rows).condition, moved.batch(rows).condition)  # type: ignore[arg-type]
    assert torch.equal(moved.training_batch(rows).x, moved.batch(rows).x)


def test_splits_stay_what_they_are() -> None:
    """A split of labels on another device is one still, and its protocol says what was made of what."""
    split = Labels(of=DIGITS).load().split("test")
    assert type(split.to("cpu")) is type(split)
    assert split.protocol == {
        **DIGITS.load().split("test").protocol,
        "data": f"data/labels of {DIGITS.load().split('test').protocol['data']}",
    }


def test_data_without_labels_are_refused_in_their_place() -> None:
    """Labels of a data set that gives none are refused with what would do, at its place in the file."""
    with pytest.raises(SpecError, match=r"data.of: 'data/digits' gives no labels; set labels: true in it"):
        Labels(of=Digits()).data_space()
    model = {"encoder": "core/identity", "decoder": "core/identity", "prior": "core/categorical", "loss": "core/nll"}
    experiment = experiment_from({"name": "x", "data": {"type": "data/labels", "of": "data/toy"}, "model": model})
    with pytest.raises(SpecError, match="'data/toy' gives no labels"):
        check_placed(experiment)


def channels(split: Split) -> list[torch.Tensor]:
    """Return the three images of each stack, as vectors: each (N, pixels)."""
    return [channel.flatten(1) for channel in split.stored.unbind(1)]


@pytest.mark.parametrize("name", ["train", "test"])
def test_stacks_are_images_of_their_own_split(name: str) -> None:
    """Each channel is an image of the same split, and the label's three digits are the labels of the three."""
    inner = DIGITS.load().split(name)
    stacks = Stacked(of=DIGITS, n=40, held_out=30).load().split(name)
    assert len(stacks) == (40 if name == "train" else 30)
    known: dict[bytes, set[int]] = {}
    for image, label in zip(inner.stored, inner.condition, strict=True):  # type: ignore[arg-type]
        known.setdefault(image.numpy().tobytes(), set()).add(int(label))
    assert stacks.condition is not None
    for place, images in zip((100, 10, 1), channels(stacks), strict=True):
        for image, mode in zip(images, stacks.condition, strict=True):
            assert int(mode) // place % 10 in known[image.numpy().tobytes()]


def test_stacks_follow_from_the_seed() -> None:
    """The same seed gives the same stacks, another one others, and all thousand modes are alike in probability."""
    one, same, other = (Stacked(of=DIGITS, n=20_000, held_out=1, seed=seed).load().split("train") for seed in (0, 0, 1))
    assert torch.equal(one.stored, same.stored)
    assert not torch.equal(one.stored, other.stored)
    assert one.condition is not None
    counts = torch.bincount(one.condition, minlength=1000)
    assert len(counts) == 1000
    shares = DIGITS.load().split("train").condition.bincount().double() / len(DIGITS.load().split("train"))  # type: ignore[union-attr]
    expected = 20_000 * torch.einsum("a,b,c->abc", shares, shares, shares).flatten()
    chi_squared = float(((counts - expected).square() / expected).sum())  # of 999 degrees of freedom
    assert abs(chi_squared - 999) < 5 * (2 * 999) ** 0.5


def test_stacks_are_prepared_as_their_images() -> None:
    """The space and the preparation are those of the images, with three channels; without labels there is no condition."""
    data = Stacked(of=Digits(range="-1..1"), n=20, held_out=5).load()
    assert data.space == Real((3, 8, 8), -1, 1, 17)
    assert data.condition_space is None
    split = data.split("train")
    torch.testing.assert_close(split.batch(slice(0, 4)).x, split.stored[:4] / 8 - 1)
    assert split.protocol["data"].startswith("data/stacked of data/digits@")
    assert (split.protocol["count"], split.protocol["stacked"]) == (20, {"seed": 0})


@pytest.mark.parametrize("of", [Toy(), Stacked(of=Digits())])
def test_only_images_of_one_channel_are_stacked(of: DatasetSpec) -> None:
    """Points and images of three channels are refused, with what would do."""
    with pytest.raises(SpecError, match=r"images of one channel are stacked, found Real.*; take grey images"):
        Stacked(of=of).data_space()
