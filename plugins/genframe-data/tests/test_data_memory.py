"""Data sets from tensors."""

from __future__ import annotations

import doctest

import pytest
import torch

from genframe import Categorical, DataError, Real, Space
from genframe_data import from_tensors, memory


def test_floats_are_taken_as_they_are() -> None:
    """Every row is in one split, with its label, in float32 and without a bound."""
    x = torch.randn(30, 2, dtype=torch.float64)
    data = from_tensors(x, torch.arange(30) % 3, validation=0.2, test=5)
    assert data.space == Real((2,))
    assert data.condition_space == Categorical((), 3)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 20, "validation": 5, "test": 5}
    batch = data.split("train").batch(slice(0, 4))
    assert batch.condition is not None
    rows = [int((x.float() == row).all(1).nonzero()) for row in batch.x]
    assert batch.condition.tolist() == [row % 3 for row in rows]


def test_bytes_are_scaled_batch_by_batch() -> None:
    """Bytes stay bytes in memory and become 256 levels from 0 to 1, or within the bounds that the space gives."""
    x = torch.full((10, 1, 2, 2), 255, dtype=torch.uint8)
    data = from_tensors(x)
    assert data.space == Real((1, 2, 2), 0.0, 1.0, levels=256)
    assert data.split("train").stored.dtype == torch.uint8
    assert data.split("train").batch(slice(0, 1)).x.unique().tolist() == [1.0]
    signed = from_tensors(x, space=Real((1, 2, 2), -1.0, 0.0, levels=256))
    assert signed.split("train").batch(slice(0, 1)).x.unique().tolist() == [0.0]


def test_classes_need_their_space() -> None:
    """int64 data are categorical, and only the space says of how many classes."""
    x = torch.randint(0, 3, (10, 4))
    data = from_tensors(x, space=Categorical((4,), 5))
    assert data.split("train").batch(slice(0, 2)).x.dtype == torch.int64


@pytest.mark.parametrize(
    ("x", "labels", "space", "expected"),
    [
        (torch.zeros(4, dtype=torch.int64), None, None, "x: expected floats or uint8, found torch.int64; for classes give"),
        (torch.zeros(4, 2), None, Real((3,)), "x: expected the shape (N, 3), found (4, 2)"),
        (torch.zeros(0, 2), None, None, "x: expected the shape (N, 2), found (0, 2)"),
        (torch.tensor([[torch.nan]] * 4), None, None, "x: expected finite numbers, found NaN or infinity"),
        (torch.full((4, 1), 2.0), None, Real((1,), 0.0, 1.0), "x: expected values from 0 to 1, found 2 to 2"),
        (torch.full((4,), 5), None, Categorical((), 5), "x: expected int64 from 0 to 4, found torch.int64 from 5 to 5"),
        (torch.zeros(4, 1, dtype=torch.uint8), None, Real((1,)), "x: uint8 has 256 levels, found Real(1); leave 'space' out"),
        (
            torch.zeros(4, 1),
            torch.arange(3),
            None,
            "labels: expected 4 whole numbers from 0, of at least 2 classes, found (3,)",
        ),
        (torch.zeros(4, 1), torch.zeros(4), None, "labels: expected 4 whole numbers from 0, of at least 2 classes, found (4,)"),
    ],
)
def test_what_does_not_fit_is_named(x: torch.Tensor, labels: torch.Tensor | None, space: Space | None, expected: str) -> None:
    """The message says what was expected and what was found."""
    with pytest.raises(DataError) as caught:
        from_tensors(x, labels, space=space)
    assert str(caught.value).startswith(expected)


def test_the_docstrings_example_is_true() -> None:
    """The example in the docstring prints what it says."""
    assert doctest.testmod(memory).failed == 0
