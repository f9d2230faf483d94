"""Likelihood as a value: units, bits per dimension, standard errors, batches that add up."""

from __future__ import annotations

import math

import pytest
import torch

from genframe import Categorical, LogProb, Real, Space, Unsupported

GREY = Real((1, 4, 4), 0, 1, 256)
NOISY = Real((1, 4, 4), 0, 1, 256, True)
WIDE = Real((3,), -1, 1, 4, True)
NATS = torch.tensor([-10.0, -14.0, -12.0])


def value(space: Space, *, mass: bool, nats: torch.Tensor = NATS, samples: int = 1) -> LogProb:
    """Return a log-probability."""
    return LogProb(nats, "exact", space, mass, "by hand", samples)


@pytest.mark.parametrize(
    ("space", "mass", "expected"),
    [
        (Categorical((6,), 5), True, 12 / (6 * math.log(2))),
        (GREY, True, 12 / (16 * math.log(2))),
        (NOISY, False, 12 / (16 * math.log(2)) + 8),  # a bin is 1/256 wide: 8 bits more for each dimension
        (WIDE, False, 12 / (3 * math.log(2)) + 1),  # a bin is 1/2 wide
    ],
)
def test_bits_per_dimension(space: Space, mass: bool, expected: float) -> None:
    """Mean negative log-probability over D log 2; a density of dequantised data gains log2 of the bins in a unit."""
    assert value(space, mass=mass).bits_per_dim == pytest.approx(expected, abs=1e-6)


def test_a_uniform_density_of_dequantised_data_costs_all_bits() -> None:
    """Under the uniform density on [0, 1] each of 256 levels has probability 1/256: 8 bits per dimension."""
    assert value(NOISY, mass=False, nats=torch.zeros(2)).bits_per_dim == pytest.approx(8)


@pytest.mark.parametrize(
    ("space", "said"), [(GREY, "set dequantise: true"), (Real((2,)), "use nats"), (Real((2,), 0, 1), "use nats")]
)
def test_no_bits_of_what_has_no_unit(space: Space, said: str) -> None:
    """A density of continuous data, or of data that were not dequantised, has no bits per dimension."""
    with pytest.raises(Unsupported, match=said):
        _ = value(space, mass=False).bits_per_dim


def test_mean_and_standard_error() -> None:
    """The mean is in nats; the standard error is s / sqrt(n) with Bessel's correction, here 2 / sqrt(3)."""
    found = value(GREY, mass=True)
    assert found.average == -12
    assert found.standard_error == pytest.approx(2 / math.sqrt(3))
    assert math.isnan(value(GREY, mass=True, nats=NATS[:1]).standard_error)


def test_means_are_taken_in_float64() -> None:
    """The mean of 1e8, 1 and -1e8 is a third, though a float32 sum loses the one."""
    nats = torch.tensor([1e8, 1.0, -1e8])
    assert value(GREY, mass=True, nats=nats).average == pytest.approx(1 / 3)


def test_batches_add_up() -> None:
    """The sum of two batches is one batch of all data, with all else kept."""
    both = value(NOISY, mass=False, nats=NATS[:1]) + value(NOISY, mass=False, nats=NATS[1:])
    assert torch.equal(both.nats, NATS)
    assert (both.kind, both.space, both.mass, both.estimator, both.samples) == ("exact", NOISY, False, "by hand", 1)


@pytest.mark.parametrize(
    "other",
    [
        LogProb(NATS, "lower bound", NOISY, False, "by hand"),
        LogProb(NATS, "exact", GREY, False, "by hand"),
        LogProb(NATS, "exact", NOISY, True, "by hand"),
        LogProb(NATS, "exact", NOISY, False, "otherwise"),
        LogProb(NATS, "exact", NOISY, False, "by hand", 5),
    ],
)
def test_unlike_batches_do_not_add_up(other: LogProb) -> None:
    """Kind, space, mass, estimator or sample count that differ are refused."""
    with pytest.raises(ValueError, match="different kinds"):
        value(NOISY, mass=False) + other


def test_dequantisation_is_named() -> None:
    """Uniform noise was added, or nothing was."""
    assert [value(space, mass=True).dequantisation for space in (NOISY, GREY, Categorical((), 3))] == [
        "uniform",
        "none",
        "none",
    ]


@pytest.mark.parametrize(("kind", "sign"), [("exact", "="), ("lower bound", "≥"), ("unnormalised", "∝")])
def test_it_shows_its_kind(kind: str, sign: str) -> None:
    """A lower bound is not shown as an equality; the error is there where there are several data."""
    shown = repr(LogProb(NATS, kind, GREY, True, "by hand", 7))  # type: ignore[arg-type]
    assert shown == f"log p(x) {sign} -12.0000 ± 1.2 nats (by hand, samples: 7)"
    assert "±" not in repr(value(GREY, mass=True, nats=NATS[:1]))
