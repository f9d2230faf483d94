"""Preparations: what becomes of stored levels, batch by batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genframe_data.prepare import Binarised, Dequantised, Scaled

ALL_LEVELS = torch.arange(256, dtype=torch.uint8)


def test_scaling_puts_the_ends_exactly_on_the_bounds() -> None:
    """The lowest level is low, the highest is high, and a grey of 51 of 255 is one fifth of the way, in float32."""
    unit, signed = Scaled(256)(ALL_LEVELS, None), Scaled(256, -1.0, 1.0)(ALL_LEVELS, None)
    assert unit.dtype == torch.float32
    assert [unit[0], unit[51], unit[255]] == [0.0, torch.tensor(0.2), 1.0]
    assert [signed[0], signed[255]] == [-1.0, 1.0]
    torch.testing.assert_close(signed, 2 * unit - 1, rtol=0, atol=1e-7)


def _bins(x: torch.Tensor, levels: int, low: float, high: float) -> torch.Tensor:
    """Return in which bin each value lies, by the bins' edges in float32; -1 below low and ``levels`` from high on."""
    edges = torch.arange(levels + 1).div(levels / (high - low)).add(low)
    return torch.bucketize(x, edges, right=True) - 1


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 256), st.sampled_from([(0.0, 1.0), (-1.0, 1.0)]), st.integers(0, 2**31))
def test_the_bin_of_dequantised_data_is_their_level(levels: int, bounds: tuple[float, float], seed: int) -> None:
    """Dequantised data lie in [low, high), and the bin in which they lie is the stored level."""
    stored = torch.arange(levels, dtype=torch.uint8).repeat(50)
    x = Dequantised(levels, *bounds)(stored, torch.Generator().manual_seed(seed))
    assert torch.equal(_bins(x, levels, *bounds), stored.long())


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([2, 4, 16, 256]), st.integers(0, 2**31))
def test_floor_undoes_dequantisation(levels: int, seed: int) -> None:
    """Where levels are a power of two, float32 has the edges exactly: floor(levels x) is the stored level."""
    stored = torch.arange(levels, dtype=torch.uint8).repeat(50)
    x = Dequantised(levels)(stored, torch.Generator().manual_seed(seed))
    assert torch.equal((x * levels).floor(), stored.float())


@pytest.mark.parametrize("noise", [0.0, 1 - 2**-24])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0)])
def test_the_ends_of_the_noise_stay_in_their_bin(
    noise: float, bounds: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every number of levels and every level, the least and the largest that torch.rand can draw stay in the bin.

    What lies between them does so too, for each rounding is monotone. Without care 255 + noise would round to 256.
    """
    assert torch.tensor(1 - 2**-24) + 255 == 256
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.full(shape, noise))
    for levels in range(2, 257):
        stored = torch.arange(levels, dtype=torch.uint8)
        assert torch.equal(_bins(Dequantised(levels, *bounds)(stored, None), levels, *bounds), stored.long())


def test_dequantisation_noise_is_uniform() -> None:
    """Noise within a bin has mean 1/2 and variance 1/12 of a bin, to five standard errors."""
    n = 200_000
    noise = Dequantised(2)(torch.zeros(n, dtype=torch.uint8), torch.Generator().manual_seed(0)) * 2
    assert abs(noise.mean() - 0.5) < 5 * (1 / 12 / n) ** 0.5
    assert abs(noise.var() - 1 / 12) < 5 * (1 / 180 / n) ** 0.5


def test_binarisation_draws_one_with_the_intensity() -> None:
    """Level k of 17 is one with probability k / 16, never at 0 and always at 16."""
    n = 100_000
    stored = torch.arange(17, dtype=torch.uint8).repeat(n, 1)
    x = Binarised(17)(stored, torch.Generator().manual_seed(0))
    p = torch.arange(17) / 16
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert [x[:, 0].mean(), x[:, 16].mean()] == [0, 1]
    assert bool(((x.mean(0) - p).abs() <= 5 * (p * (1 - p) / n).sqrt()).all())


def test_the_largest_noise_is_still_below_the_highest_level() -> None:
    """Float32 never rounds the largest noise times (levels - 1) up to the highest level, so white is always one."""
    for levels in range(2, 257):
        assert torch.tensor(1 - 2**-24).mul(levels - 1) < levels - 1


def test_noise_follows_the_generator() -> None:
    """The same seed gives the same noise, and another batch another."""
    for prepare in (Dequantised(256), Binarised(256)):
        one, two = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        first = prepare(ALL_LEVELS, one)
        assert torch.equal(first, prepare(ALL_LEVELS, two))
        assert not torch.equal(first, prepare(ALL_LEVELS, one))
