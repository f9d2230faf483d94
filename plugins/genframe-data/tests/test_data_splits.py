"""Splits: disjoint, complete, repeatable; what is drawn once; the protocol."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genframe import DataError
from genframe_data import Digits, Idx
from genframe_data.splits import Part, cut, divided

GOLDEN_DIGEST = "data/digits@a917f0f9c04ea339"


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(3, 200),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    by=st.sampled_from(["random", "block"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_splits_are_disjoint_and_complete(n: int, validation: float, test: float, by: str, seed: int) -> None:
    """Every datum is in exactly one split, with its own label."""
    parts = divided(
        Part(torch.arange(n), torch.arange(n) + 1000),
        validation,
        test,
        by=by,  # type: ignore[arg-type]
        seed=seed,
        limit=None,
    )
    assert sorted(int(i) for part in parts.values() for i in part.x) == list(range(n))
    for part in parts.values():
        assert part.labels is not None
        assert torch.equal(part.labels, part.x + 1000)


def test_blocks_keep_the_order() -> None:
    """Held out as blocks, a sequence is cut into training, validation and test in its order."""
    parts = divided(Part(torch.arange(10)), 2, 0.3, by="block", seed=0, limit=None)
    assert {name: part.x.tolist() for name, part in parts.items()} == {
        "train": [0, 1, 2, 3, 4],
        "validation": [5, 6],
        "test": [7, 8, 9],
    }


def test_a_published_split_is_left_as_it_is() -> None:
    """A test set of its own keeps its order, and only training data are cut."""
    parts = divided(Part(torch.arange(10)), 3, Part(torch.arange(100, 104)), by="random", seed=1, limit=None)
    assert parts["test"].x.tolist() == [100, 101, 102, 103]
    assert sorted(torch.cat([parts["train"].x, parts["validation"].x]).tolist()) == list(range(10))


def test_random_splits_are_the_same_for_ever() -> None:
    """A seed's split is a golden value: numpy's RandomState stream is frozen."""
    parts = divided(Part(torch.arange(10)), 0.2, 0.2, by="random", seed=0, limit=None)
    assert {name: part.x.tolist() for name, part in parts.items()} == {
        "train": [2, 8, 4, 9, 1, 6],
        "validation": [7, 3],
        "test": [0, 5],
    }


def test_nothing_held_out_leaves_the_split_out() -> None:
    """A share of 0 makes no split; a share above 0 holds out one datum at least."""
    parts = divided(Part(torch.arange(4)), 0, 0.01, by="block", seed=0, limit=None)
    assert {name: len(part) for name, part in parts.items()} == {"train": 3, "test": 1}


def test_training_keeps_something() -> None:
    """Holding everything out is refused."""
    with pytest.raises(DataError, match=r"^validation: 10 asks for 10 of 10 data and leaves none for training; ask for fewer$"):
        cut(Part(torch.arange(10)), 10, "validation")


def test_limit_keeps_the_first_of_each_split() -> None:
    """With a limit, each split is the beginning of what it is without."""
    whole, limited = Digits().load(), Digits(limit=7).load()
    for name, split in whole.splits.items():
        assert torch.equal(limited.split(name).stored, split.stored[:7])
        assert limited.split(name).protocol["count"] == 7


def test_the_digits_test_split_does_not_depend_on_the_seed() -> None:
    """Another seed draws another validation split, and the same test split of 359."""
    one, two = Digits(seed=0).load(), Digits(seed=1).load()
    assert torch.equal(one.split("test").stored, two.split("test").stored)
    assert not torch.equal(one.split("validation").stored, two.split("validation").stored)
    assert {name: len(split) for name, split in one.splits.items()} == {"train": 1294, "validation": 144, "test": 359}


def test_digits_keep_their_labels() -> None:
    """Every stored digit carries the label that scikit-learn gives it."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    truth: dict[bytes, int] = {
        image.astype("uint8").tobytes(): int(label) for image, label in zip(bunch.images, bunch.target, strict=True)
    }
    data = Digits(labels=True).load()
    for split in data.splits.values():
        assert split.condition is not None
        found = [truth[image.numpy().tobytes()] for image in split.stored]
        assert split.condition.tolist() == found


@pytest.mark.parametrize("name", ["validation", "test"])
def test_held_out_data_are_binarised_once(name: str) -> None:
    """Under dynamic binarisation held-out data are the same for every generator; training data are not."""
    data = Digits(binarise="dynamic").load()
    draws = [data.split(name).batch(slice(0, 20), torch.Generator().manual_seed(seed)).x for seed in (0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert set(draws[0].unique().tolist()) == {0.0, 1.0}
    train = [data.split("train").batch(slice(0, 20), torch.Generator().manual_seed(seed)).x for seed in (0, 1)]
    assert not torch.equal(train[0], train[1])


def test_what_is_drawn_once_depends_on_the_seed_alone() -> None:
    """Static binarisation is repeated by its seed, differs for another, and does not change with the limit."""
    spec = Digits(binarise="static")
    one = spec.load().split("test").stored
    assert torch.equal(one, spec.load().split("test").stored)
    assert torch.equal(one[:9], Digits(binarise="static", limit=9).load().split("test").stored)
    assert not torch.equal(one, Digits(binarise="static", seed=1).load().split("test").stored)


def test_each_split_is_drawn_from_its_own_stream(mnist: Path, idx: Callable[[np.ndarray], bytes]) -> None:
    """Equal grey pictures in two splits become different zeros and ones, so no split repeats another's noise."""
    for prefix, n in (("train", 50), ("t10k", 10)):
        for file in mnist.glob(f"{prefix}-images*"):
            file.write_bytes(idx(np.full((n, 4, 3), 128, np.uint8)))
    splits = Idx(path=mnist, binarise="static", validation=10).load().splits
    drawn = [split.stored[:10] for split in splits.values()]
    assert not any(torch.equal(one, other) for one, other in combinations(drawn, 2))


def test_static_binarisation_has_the_intensity_as_mean() -> None:
    """Over all pixels of a split the mean of what was drawn is the mean intensity, to five standard errors."""
    grey = Digits().load().split("train").stored / 16
    drawn = Digits(binarise="static").load().split("train").stored.float()
    error = (grey * (1 - grey)).sum().sqrt() / grey.numel()
    assert abs(drawn.mean() - grey.mean()) < 5 * error


def test_threshold_is_one_above_half() -> None:
    """Level 8 of 0 to 16 is not above one half, level 9 is."""
    grey, black_and_white = Digits().load().split("test"), Digits(binarise="threshold").load().split("test")
    assert torch.equal(black_and_white.batch(slice(None)).x, (grey.stored >= 9).float())


@pytest.mark.parametrize(
    ("spec", "split", "binarisation", "dequantisation"),
    [
        (Digits(), "train", "none", "none"),
        (Digits(dequantise=True), "test", "none", "uniform"),
        (Digits(binarise="static"), "train", "static", "none"),
        (Digits(binarise="threshold"), "test", "threshold", "none"),
        (Digits(binarise="dynamic"), "train", "dynamic", "none"),
        (Digits(binarise="dynamic"), "test", "dynamic, drawn once", "none"),
    ],
)
def test_the_protocol_says_how_data_were_prepared(spec: Digits, split: str, binarisation: str, dequantisation: str) -> None:
    """A split's protocol names data, digest, split, count, seed, binarisation and dequantisation."""
    found = spec.load().split(split)
    assert found.protocol == {
        "data": GOLDEN_DIGEST,
        "split": split,
        "count": len(found),
        "seed": 0,
        "binarisation": binarisation,
        "dequantisation": dequantisation,
    }


def test_the_digest_is_of_the_raw_data(mnist: Path) -> None:
    """Splits, labels and preparation do not change the digest; one changed pixel does."""
    digests = {
        spec.load().split("test").protocol["data"]
        for spec in (Idx(path=mnist), Idx(path=mnist, labels=True, validation=5), Idx(path=mnist, binarise="static"))
    }
    assert len(digests) == 1
    file = mnist / "t10k-images-idx3-ubyte"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert Idx(path=mnist).load().split("test").protocol["data"] not in digests
