"""Maximum mean discrepancy against loops, closed forms and repetition."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Categorical, DataError, Split
from genframe.testing import part
from genframe_metrics import Mmd
from genframe_metrics.discrepancy import median_distance, squared_mmd


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    """Return draws of N(shift, I): (n, d)."""
    return shift + torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def kernel(a: Tensor, b: Tensor, bandwidths: list[float]) -> float:
    """Return the kernel of two vectors."""
    return sum(math.exp(-float((a - b).square().sum()) / (2 * s**2)) for s in bandwidths) / len(bandwidths)


def pair(x: Tensor, y: Tensor, i: int, j: int, bandwidths: list[float]) -> float:
    """Return h(z_i, z_j) of Gretton et al. 2012, eq. 4."""
    own = kernel(x[i], x[j], bandwidths) + kernel(y[i], y[j], bandwidths)
    return own - kernel(x[i], y[j], bandwidths) - kernel(x[j], y[i], bandwidths)


def mean(values: Iterable[float]) -> float:
    """Return the mean of what comes."""
    values = list(values)
    return math.fsum(values) / len(values)


@pytest.mark.parametrize(("shift", "spread", "sign"), [(2.0, 1.0, -1), (3.0, 0.1, 1)])
def test_statistic_equals_its_formula(shift: float, spread: float, sign: int) -> None:
    """The estimate is the mean of h over all pairs, its error Hoeffding's from means over all pairs, triples and quadruples."""
    n, bandwidths = 7, [0.7, 1.5]
    x, y = normal(n, 3, 0), normal(n, 3, 1) * spread + shift
    h = [[pair(x, y, i, j, bandwidths) for j in range(n)] for i in range(n)]
    found = squared_mmd(x, y, bandwidths)
    assert found.value == pytest.approx(mean(h[i][j] for i, j in permutations(range(n), 2)), abs=1e-12)
    square = mean(h[i][j] * h[k][m] for i, j, k, m in permutations(range(n), 4))
    shared = mean(h[i][j] * h[i][k] for i, j, k in permutations(range(n), 3)) - square
    variance = mean(h[i][j] ** 2 for i, j in permutations(range(n), 2)) - square
    assert math.copysign(1, shared) == sign  # a covariance below zero counts as zero
    expected = math.sqrt(2 * (2 * (n - 2) * max(0.0, shared) + variance) / (n * (n - 1)))
    assert found.standard_error == pytest.approx(expected, abs=1e-12)


def test_blocks_do_not_matter() -> None:
    """More data than one block holds give the same as the whole kernel matrices."""
    n = 600
    x, y = normal(n, 2, 0), normal(n, 2, 1, shift=1.0)
    xx, yy, xy = (torch.exp(-torch.cdist(a, b).square() / 2) for a, b in [(x, x), (y, y), (x, y)])
    h = xx + yy - xy - xy.T
    expected = (h.sum() - h.trace()) / (n * (n - 1))
    assert squared_mmd(x, y, [1.0]).value == pytest.approx(float(expected), abs=1e-12)


def closed_form(d: int, s: float, shift: float) -> float:
    """Return MMD^2 between N(0, I) and N(m, I), m = (shift, ...), under a Gaussian kernel of bandwidth s."""
    return 2 * (s**2 / (s**2 + 2)) ** (d / 2) * (1 - math.exp(-d * shift**2 / (2 * (s**2 + 2))))


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_shifted_gaussians_have_a_closed_form(shift: float) -> None:
    """Between N(0, I) and N(m, I), MMD^2 = 2 (s^2 / (s^2 + 2))^(d/2) (1 - exp(-|m|^2 / (2 (s^2 + 2))))."""
    d, s, n = 2, 1.3, 1500
    found = squared_mmd(normal(n, d, 0), normal(n, d, 1, shift), [s])
    expected = closed_form(d, s, shift)
    assert abs(found.value - expected) < 3 * found.standard_error
    assert found.standard_error < expected / 5


@pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 1.0, 1.6), (1.0, 0.85, 1.15)])
@pytest.mark.parametrize("bandwidth", [0.5, 1.0, 4.0])
def test_standard_error_is_the_spread_of_repetitions(bandwidth: float, shift: float, least: float, most: float) -> None:
    """Over 300 repetitions the estimate is unbiased and its error is its spread, somewhat more between equal distributions."""
    runs = [squared_mmd(normal(40, 2, 2 * i), normal(40, 2, 2 * i + 1, shift), [bandwidth]) for i in range(300)]
    values = torch.tensor([run.value for run in runs])
    expected = closed_form(2, bandwidth, shift)
    assert abs(float(values.mean()) - expected) < 3 * float(values.std()) / math.sqrt(300)
    mean_square = torch.tensor([run.standard_error**2 for run in runs]).mean()
    assert least < float(mean_square.sqrt() / values.std()) < most
    within = mean(abs(run.value - expected) < 2 * run.standard_error for run in runs)
    assert within > 0.9


def test_bandwidth_is_the_median_of_data() -> None:
    """The bandwidth is the median distance between data; where most are equal it is the mean, where all are there is none."""
    assert median_distance(torch.tensor([[0.0], [1.0], [5.0]])) == 4.0
    assert median_distance(torch.tensor([[0.0], [0.0], [0.0], [8.0]])) == 4.0  # distances 0, 0, 0, 8, 8, 8
    assert median_distance(torch.tensor([[0.0], [0.0], [0.0], [0.0], [5.0]])) == 2.0
    with pytest.raises(DataError, match="all equal"):
        median_distance(torch.ones(4, 2))


def test_model_of_the_data_and_a_wrong_one(toy: Any) -> None:
    """Samples of the true model are as near the data as data are; those of a shifted model are not."""
    split = toy.split(800)
    right, baseline = part(Mmd(n=800)).measure(toy.model(), split, train=split)
    wrong, same = part(Mmd(n=800)).measure(toy.model(shift=0.5), split, train=split)
    assert abs(right.value) < 3 * right.standard_error
    assert abs(baseline.value) < 3 * baseline.standard_error
    assert wrong.value > 5 * wrong.standard_error
    assert (same.name, same.value) == ("mmd2_of_data", baseline.value)  # the bandwidth does not see the model


def test_stamp_counts_what_was_used(toy: Any) -> None:
    """Where data are fewer than asked, the stamp says how many data and samples there were, and the bandwidth's rule."""
    split = toy.split(50)
    stamp = part(Mmd(n=800)).measure(toy.model(), split, train=split)[0].stamp
    assert (stamp["data"], stamp["of"], stamp["samples"]) == (50, 50, 50)
    assert stamp["bandwidths"] == "0.5, 1, 2 times the median distance of the first 1000 data used"
    assert "50" not in part(Mmd(n=20)).measure(toy.model(), split, train=split)[0].stamp["bandwidths"].split()


def test_seed_decides(toy: Any) -> None:
    """The same seed gives the same figure and leaves torch's global generator alone; another seed gives another."""
    split, model, metric = toy.split(60), toy.model(), part(Mmd(n=30))
    state = torch.get_rng_state()
    first = metric.measure(model, split, train=split, seed=4)
    torch.manual_seed(9)
    assert metric.measure(model, split, train=split, seed=4) == first
    assert metric.measure(model, split, train=split, seed=5)[0].value != first[0].value
    torch.set_rng_state(state)
    metric.measure(model, split, train=split)
    assert torch.equal(torch.get_rng_state(), state)


def test_nan_in_samples_stays_in(toy: Any) -> None:
    """Samples with NaN make the discrepancy NaN and are counted in the note."""
    split, model = toy.split(30), toy.model()
    model.decoder.shift = math.nan
    found, baseline = part(Mmd(n=30)).measure(model, split, train=split)
    assert math.isnan(found.value)
    assert found.note == "30 of 30 samples are not finite"
    assert math.isfinite(baseline.value)


def test_classes_are_one_hot_vectors(toy: Any) -> None:
    """The distance of classes is that of their one-hot vectors: 1 and 2 are as far apart as 1 and 9."""
    from genframe_metrics.features import vectors

    found = vectors(torch.tensor([[1, 0], [2, 0], [9, 0]]), Categorical((2,), 10))
    assert torch.pdist(found).tolist() == pytest.approx([math.sqrt(2)] * 3)


def test_too_few_data_are_refused(toy: Any) -> None:
    """Seven data, or none, are refused by name of the split."""
    for n in (0, 7):
        with pytest.raises(DataError, match="'test' has"):
            part(Mmd()).measure(toy.model(), Split("test", torch.zeros(n, 4).double()), train=toy.split(5))
