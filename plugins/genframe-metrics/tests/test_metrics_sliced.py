"""The sliced Wasserstein distance against closed forms, scipy and POT."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe.testing import part
from genframe_metrics import SlicedWasserstein
from genframe_metrics.sliced import directions, wasserstein


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    """Return draws of N(shift, I): (n, d)."""
    return shift + torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def ways(d: int, count: int) -> Tensor:
    """Return directions (d, count)."""
    return directions(d, count, normal(1, 1, 0), torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("n", "m"), [(50, 50), (50, 73), (64, 16)])
def test_one_dimension_equals_scipy(n: int, m: int) -> None:
    """W_1 of two columns is scipy's, with unlike numbers of rows too."""
    stats = pytest.importorskip("scipy.stats")
    x, y = normal(n, 3, 0), normal(m, 3, 1, 0.4)
    expected = [stats.wasserstein_distance(x[:, i].numpy(), y[:, i].numpy()) for i in range(3)]
    assert wasserstein(x, y, 1).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("m", [80, 61])
@pytest.mark.parametrize("order", [1, 2])
def test_it_equals_pot(m: int, order: int) -> None:
    """Along the same directions it is the sliced distance of the package POT."""
    ot = pytest.importorskip("ot")
    x, y, along = normal(80, 6, 0), normal(m, 6, 1, 0.5), ways(6, 30)
    expected = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=along.numpy(), p=order)
    found = float(wasserstein(x @ along, y @ along, order).mean() ** (1 / order))
    assert found == pytest.approx(float(expected), abs=1e-10)


def test_unlike_numbers_of_rows_are_quantiles() -> None:
    """Every row twice is the same distribution."""
    x, y = normal(30, 2, 0), normal(45, 2, 1)
    assert torch.allclose(wasserstein(x.repeat(2, 1), y, 2), wasserstein(x, y, 2), atol=1e-12)
    assert wasserstein(x.repeat(2, 1), x, 2).tolist() == pytest.approx([0, 0], abs=1e-12)


def test_gaussians_have_a_closed_form() -> None:
    """Between N(0, I) and N(m, s² I), W_2² along u is (u·m)² + (s - 1)²; over all directions |m|² / d + (s - 1)²."""
    d, n, shift, s = 4, 20_000, 0.5, 1.4
    along = ways(d, 400)
    found = float(wasserstein(normal(n, d, 0) @ along, (s * normal(n, d, 1) + shift) @ along, 2).mean())
    assert found == pytest.approx(float((shift * along.sum(0)).square().mean()) + (s - 1) ** 2, abs=0.01)
    assert found == pytest.approx(shift**2 + (s - 1) ** 2, abs=0.04)  # 400 directions are not all


def test_directions_are_uniform() -> None:
    """They have length one, and no mean and a covariance of I / d."""
    along = ways(3, 20_000)
    assert torch.allclose(along.norm(dim=0), torch.ones(20_000, dtype=torch.float64))
    assert along.mean(1).abs().max() < 0.02
    assert torch.allclose(along @ along.T / 20_000, torch.eye(3, dtype=torch.float64) / 3, atol=0.01)


def test_model_of_the_data_and_a_wrong_one(toy: Any) -> None:
    """Samples of the true model are as far from the data as data are; those of a shifted model farther."""
    split, known = toy.split(400), toy.split(400, seed=1)
    metric = part(SlicedWasserstein(n=400))
    right, of_data = metric.measure(toy.model(), split, train=known)
    wrong, same = metric.measure(toy.model(shift=0.5), split, train=known)
    assert (right.name, of_data.name) == ("sw2(values)", "sw2_of_data(values)")
    assert right.value == pytest.approx(
        of_data.value, abs=3 * math.hypot(right.standard_error or 0, of_data.standard_error or 0)
    )
    assert wrong.value > of_data.value + 3 * (wrong.standard_error or math.inf)
    assert same.value == of_data.value
    assert part(SlicedWasserstein(n=40, order=1)).measure(toy.model(), split, train=known)[0].name == "sw1(values)"


def test_error_is_the_spread_of_repetitions(toy: Any) -> None:
    """Against a shifted model, the jackknife's error is the deviation over samples and data drawn anew."""
    metric = part(SlicedWasserstein(n=100, projections=32))
    model = toy.model(shift=0.5)
    found = [metric.measure(model, toy.split(100, seed=i), train=toy.split(100), seed=i)[0] for i in range(60)]
    spread = float(torch.tensor([one.value for one in found]).std())
    error = float(torch.tensor([one.standard_error for one in found]).square().mean().sqrt())
    assert error == pytest.approx(spread, rel=0.3)
