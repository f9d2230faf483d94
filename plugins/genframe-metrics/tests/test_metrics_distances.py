"""Distances of features against closed forms, formulas, repetition and peers."""

from __future__ import annotations

import math
from itertools import permutations, product

import pytest
import torch
from torch import Tensor

from genframe import DataError, ModelSpec, Real, Split, compose
from genframe.core import IdentityDecoder, IdentityEncoder, NegativeLogLikelihood, Normal
from genframe.testing import part
from genframe_metrics import Frechet, KernelDistance, PrecisionRecall
from genframe_metrics.discrepancy import kernel_distance
from genframe_metrics.estimates import jackknife
from genframe_metrics.frechet import Moments, frechet_distance, normal_distance
from genframe_metrics.neighbours import PrecisionRecallMetric, precision_recall

POINTS = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=Normal(), loss=NegativeLogLikelihood())


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    """Return draws of N(shift, I): (n, d)."""
    return shift + torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def distance(x: Tensor, y: Tensor) -> float:
    """Return the Fréchet distance of samples."""
    return frechet_distance(x, y)


def test_frechet_distance_of_three_points() -> None:
    """[[1, 2]] * 3 and [[2, 2], [1, 2], [1, 2]] are 4/9 apart: means by 1/9, and a variance of 1/3 from none."""
    x, y = torch.tensor([[1.0, 2.0]] * 3).double(), torch.tensor([[2.0, 2.0], [1.0, 2.0], [1.0, 2.0]]).double()
    assert distance(x, y) == pytest.approx(0.4444, abs=5e-5)
    assert distance(x, y) == pytest.approx(4 / 9, abs=1e-12)


def test_frechet_distance_of_diagonal_normals() -> None:
    """Where covariances commute it is |m - m'|² + sum (s - s')², whatever the directions."""
    s, t = torch.tensor([1.0, 0.5, 0.0, 3.0]).double(), torch.tensor([2.0, 0.0, 0.0, 1.0]).double()
    m, k = torch.tensor([0.0, 1.0, 2.0, 3.0]).double(), torch.tensor([1.0, 1.0, 0.0, 3.5]).double()
    turn = torch.linalg.qr(normal(4, 4, 0)).Q
    found = normal_distance(Moments(m @ turn, torch.diag(s) @ turn), Moments(k @ turn, torch.diag(t) @ turn))
    assert found == pytest.approx(float((m - k).square().sum() + (s - t).square().sum()), abs=1e-12)


@pytest.mark.parametrize("n", [200, 5])
def test_frechet_distance_equals_the_matrix_square_root(n: int) -> None:
    """It is the formula by scipy's matrix square root, with as few data as give singular covariances too."""
    linalg = pytest.importorskip("scipy.linalg")
    x, y = normal(n, 8, 0) @ normal(8, 8, 1), normal(n, 8, 2, 0.5)
    cov_x, cov_y = torch.cov(x.T), torch.cov(y.T)
    offset = 1e-10 * torch.eye(8)  # the square root of a singular product is not what scipy is made for
    root = linalg.sqrtm(((cov_x + offset) @ (cov_y + offset)).numpy()).real.trace()
    expected = float((x.mean(0) - y.mean(0)).square().sum() + cov_x.trace() + cov_y.trace()) - 2 * root
    assert distance(x, y) == pytest.approx(expected, rel=1e-4)


def test_frechet_distance_of_equal_data_is_zero() -> None:
    """Data are at no distance from themselves to double precision, with fewer data than dimensions too."""
    x = normal(30, 50, 0)
    assert abs(distance(x, x)) < 1e-12 * float(x.square().sum())


def test_jackknife_error_is_the_spread_of_repeated_estimates() -> None:
    """Between N(0, I) and N(1, I) in three dimensions, it is the deviation of the estimate over repetitions."""
    repeated = [(normal(200, 3, 2 * seed), normal(200, 3, 2 * seed + 1, 1.0)) for seed in range(300)]
    spread = float(torch.tensor([distance(x, y) for x, y in repeated]).std())
    errors = torch.tensor([jackknife(distance, x, y).standard_error for x, y in repeated[:60]])
    assert float(errors.square().mean().sqrt()) == pytest.approx(spread, rel=0.2)


def test_jackknife_error_of_a_mean_is_its_standard_error() -> None:
    """For a mean over ten data, it is the usual standard error."""
    x = normal(10, 1, 0)
    found = jackknife(lambda rows, _: float(rows.mean()), x, x).standard_error
    assert found == pytest.approx(float(x.std()) / math.sqrt(10), abs=1e-12)


def test_kernel_distance_equals_its_formula() -> None:
    """It is the mean over pairs of k(x, x') + k(y, y') - k(x, y') - k(x', y) with k = (x·y / d + 1)³."""
    x, y = normal(7, 3, 0), normal(7, 3, 1, 1.0)

    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a @ b) / 3 + 1) ** 3

    terms = [
        kernel(x[i], x[j]) + kernel(y[i], y[j]) - kernel(x[i], y[j]) - kernel(x[j], y[i]) for i, j in permutations(range(7), 2)
    ]
    assert kernel_distance(x, y).value == pytest.approx(math.fsum(terms) / len(terms), abs=1e-9)


def test_kernel_distance_of_shifted_normals_has_a_closed_form() -> None:
    """In one dimension it is sum_k C(3, k) (E x^k - E y^k)²: the first three moments are compared."""
    shift, n = 0.5, 3000
    found = kernel_distance(normal(n, 1, 0), normal(n, 1, 1, shift))
    expected = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
    assert abs(found.value - expected) < 4 * found.standard_error
    assert found.standard_error < expected / 5


def test_kernel_distance_is_unbiased() -> None:
    """Between samples of one distribution its mean over repetitions is zero, and its error their spread or somewhat more."""
    found = [kernel_distance(normal(20, 4, 2 * seed), normal(20, 4, 2 * seed + 1)) for seed in range(400)]
    values = torch.tensor([estimate.value for estimate in found])
    spread = float(values.std())
    assert abs(float(values.mean())) < 4 * spread / 20
    error = float(torch.tensor([estimate.standard_error for estimate in found]).square().mean().sqrt())
    assert 0.8 * spread < error < 1.6 * spread


def test_frechet_and_kernel_distance_equal_torchmetrics() -> None:
    """They are torchmetrics' own, but that its kernel distance lets x_i meet y_i, whose share is put back in."""
    fid, kid = (pytest.importorskip(f"torchmetrics.image.{name}") for name in ("fid", "kid"))
    x, y = normal(300, 8, 0), 1.3 * normal(300, 8, 1, 0.3)
    expected = fid._compute_fid(x.mean(0), torch.cov(x.T), y.mean(0), torch.cov(y.T))
    assert distance(x, y) == pytest.approx(float(expected), abs=1e-5)
    crossed = (x @ y.T / 8 + 1) ** 3
    without = (crossed.sum() - crossed.trace()) / (300 * 299)
    expected = kid.poly_mmd(x, y) + 2 * (crossed.mean() - without)
    assert kernel_distance(x, y).value == pytest.approx(float(expected), abs=1e-5)


def test_neighbourhood_of_points_on_a_line() -> None:
    """Data 0, 1, 2, 10 reach 1, 1, 1, 8; samples 2.5, 2.6 lie near 2 and 10, a third at 30 near none and reaches 27.4."""
    data, samples = (torch.tensor(rows).double()[:, None] for rows in ([0.0, 1.0, 2.0, 10.0], [2.5, 2.6, 30.0]))
    found = precision_recall(data, samples, 1)
    assert found.precision == pytest.approx(2 / 3)
    assert found.density == pytest.approx(4 / 3)  # two samples in two balls each, of three
    assert found.coverage == pytest.approx(2 / 4)
    assert found.recall == pytest.approx(1 / 4)  # 10 is in the ball of 30; those of the others reach 0.1


def test_equal_data_and_samples_are_perfect() -> None:
    """Samples that are the data have precision, recall and coverage 1; repeated rows are at no distance from each other."""
    x = normal(50, 3, 0).repeat(2, 1)
    found = precision_recall(x, x, 1)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


def test_density_and_coverage_of_a_perfect_sampler() -> None:
    """Over draws of one distribution E[density] = 1 and E[coverage] = 1 - (n-1)...(n-k) / (n+m-1)...(n+m-k).

    Source: Naeem et al. 2020, sec. 3.2.
    """
    n, m, k = 60, 40, 5
    found = [precision_recall(normal(n, 2, 2 * seed), normal(m, 2, 2 * seed + 1), k) for seed in range(200)]
    expected = 1 - math.prod((n - j) / (n + m - j) for j in range(1, k + 1))
    for name, value in (("density", 1.0), ("coverage", expected)):
        values = torch.tensor([getattr(one, name) for one in found])
        assert float(values.mean()) == pytest.approx(value, abs=4 * float(values.std()) / math.sqrt(len(values)))


def test_errors_of_the_four_figures_are_somewhat_more_than_their_spread() -> None:
    """Between two normals, the jackknife's error is from 1 to 2.2 times the deviation over repetitions, never far below it."""
    metric = PrecisionRecallMetric()
    made = torch.Generator().manual_seed(0)
    found = [metric.compare(normal(200, 3, 2 * i), normal(200, 3, 2 * i + 1, 0.5) * 0.7, made) for i in range(60)]
    for name in metric.names:
        values, errors = (torch.tensor([getattr(one[name], field) for one in found]) for field in ("value", "standard_error"))
        assert 1.0 < float(errors.square().mean().sqrt() / values.std()) < 2.2, name


def test_neighbourhood_equals_prdc() -> None:
    """The four figures are those of the authors' package, for more data than are compared at once."""
    prdc = pytest.importorskip("prdc")
    data, samples = normal(600, 4, 0), normal(700, 4, 1, 0.7)
    found, expected = precision_recall(data, samples, 5), prdc.compute_prdc(data.numpy(), samples.numpy(), nearest_k=5)
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-12)


def test_blocks_of_neighbours_do_not_matter() -> None:
    """More data than are compared at once give the figures of whole matrices of distances."""
    data, samples = normal(600, 2, 0), normal(520, 2, 1, 1.0)
    between, k = torch.cdist(data, samples), 3
    reach, reach_back = (torch.cdist(x, x).sort(1).values[:, k] for x in (data, samples))
    found = precision_recall(data, samples, k)
    inside = between <= reach[:, None]
    assert found.precision == pytest.approx(float(inside.any(0).double().mean()), abs=1e-12)
    assert found.density == pytest.approx(float(inside.double().sum()) / k / 520, abs=1e-6)
    assert found.coverage == pytest.approx(float(inside.any(1).double().mean()), abs=1e-12)
    assert found.recall == pytest.approx(float((between <= reach_back).any(1).double().mean()), abs=1e-12)


@pytest.mark.parametrize("spec", [Frechet(n=100), KernelDistance(n=100), PrecisionRecall(n=100)])
def test_metrics_compare_samples_and_training_data(spec: Frechet | KernelDistance | PrecisionRecall) -> None:
    """Against N(0, I), a model of N(0, I) scores as training data do, and figures are stamped with what was compared."""
    model = compose(POINTS, Real((2,)))
    test, train = (Split(name, normal(150, 2, seed).float()) for seed, name in enumerate(("test", "train")))
    results = {result.name: result for result in part(spec).measure(model, test, train=train, seed=1)}
    names = {"metrics/frechet": ["fd"], "metrics/kernel_distance": ["kd"]}.get(
        spec.type, ["precision", "recall", "density", "coverage"]
    )
    assert set(results) == {f"{name}{end}(values)" for name, end in product(names, ("", "_of_data"))}
    for name in names:
        own, of_data = results[f"{name}(values)"], results[f"{name}_of_data(values)"]
        assert own.standard_error is not None
        assert of_data.standard_error is not None
        assert own.value == pytest.approx(of_data.value, abs=4 * math.hypot(own.standard_error, of_data.standard_error, 0.01))
        assert own.stamp["samples"] == own.stamp["data"] == 100
        assert own.stamp["features"] == {"name": "values"}
        assert own.note == "100 data, 100 samples, 2 features"


@pytest.mark.parametrize("spec", [Frechet(), PrecisionRecall()])
def test_figures_of_what_is_not_finite_are_not_numbers(spec: Frechet | PrecisionRecall) -> None:
    """NaN in the data gives NaN, and a note of how many there are."""
    model = compose(POINTS, Real((2,)))
    test, train = (Split(name, normal(30, 2, seed).float()) for seed, name in enumerate(("test", "train")))
    test.stored[3, 1] = math.nan
    first = part(spec).measure(model, test, train=train)[0]
    assert math.isnan(first.value)
    assert "1 of 30 data are not finite" in first.note


@pytest.mark.parametrize("sizes", [(19, 100), (100, 19)])
def test_few_data_are_refused(sizes: tuple[int, int]) -> None:
    """Fewer than twenty data, or training data, are a DataError that names the split."""
    model = compose(POINTS, Real((2,)))
    test, train = (Split(name, torch.zeros(n, 2)) for n, name in zip(sizes, ("test", "train"), strict=True))
    few = "test" if sizes[0] == 19 else "train"
    with pytest.raises(DataError, match=f"needs 20 examples, the split '{few}' has 19"):
        part(Frechet()).measure(model, test, train=train)
