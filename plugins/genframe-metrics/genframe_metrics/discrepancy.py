"""Maximum mean discrepancy between a model's samples and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

import torch
from torch import Generator, Tensor

from genframe import DataError, Metric, MetricResult, Model, Split, stamp
from genframe.model import not_finite

from .estimates import Estimate
from .features import vectors
from .pairs import FeatureComparison
from .protocol import drawn, prepared, samples_in_turn

__all__ = ["KernelDistanceMetric", "MmdMetric", "kernel_distance", "median_distance", "mmd", "squared_mmd"]

BLOCK: Final = 256
MEDIAN_ROWS: Final = 1000


def median_distance(x: Tensor) -> float:
    """Return the median distance between different rows of ``x`` (N, D), or the mean if the median is 0.

    Only the first 1000 rows are used.

    :raises DataError: if all rows are equal, so that no bandwidth fits.
    """
    distances = torch.pdist(x[:MEDIAN_ROWS])
    median, mean = float(distances.median()), float(distances.mean())
    if mean == 0:
        raise DataError("the examples are all equal, so their distances give no bandwidth for a discrepancy")
    return median if median != 0 else mean


def _gaussian(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Return the mean over bandwidths of exp(-|x - y|^2 / (2 bandwidth^2)): (N, D), (M, D) -> (N, M)."""
    squares = torch.cdist(x, y).square()
    return torch.stack([torch.exp(-squares / (2 * bandwidth**2)) for bandwidth in bandwidths]).mean(0)


def mmd(x: Tensor, y: Tensor, scales: Sequence[float] = (0.5, 1.0, 2.0)) -> Estimate:
    """Return the squared maximum mean discrepancy of (n, D) and (n, D), without bias, and its standard error; n is at least 4.

    The kernel is a mean of Gaussians. Their bandwidths are ``scales`` times the median distance between rows of ``x``.

    :raises DataError: if all rows of ``x`` are equal.

    Source: Gretton et al. 2012, eq. 4.

    >>> x, y = torch.randn(2, 500, 4, generator=torch.Generator().manual_seed(0))
    >>> same, shifted = mmd(x, y), mmd(x, y + 1)
    >>> abs(same.value) < 3 * same.standard_error, shifted.value > 10 * shifted.standard_error
    (True, True)
    """
    median = median_distance(x.double())
    return squared_mmd(x.double(), y.double(), [median * scale for scale in scales])


def squared_mmd(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Estimate:
    """Return the squared discrepancy under a mean of Gaussian kernels: (n, D), (n, D)."""
    return _discrepancy(x, y, lambda rows, columns: _gaussian(rows, columns, bandwidths))


def kernel_distance(x: Tensor, y: Tensor) -> Estimate:
    """Return the squared discrepancy under the kernel (x·y / D + 1)³: (n, D), (n, D). Bińkowski et al. 2018, sec. 4.

    >>> x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    >>> kernel_distance(x, 2 * x).value > kernel_distance(x, 1.5 * x).value > 0
    True
    """
    x, y = x.double(), y.double()
    return _discrepancy(x, y, lambda rows, columns: (rows @ columns.T / x.shape[1] + 1) ** 3)


def _discrepancy(x: Tensor, y: Tensor, kernel: Callable[[Tensor, Tensor], Tensor]) -> Estimate:
    """Return the unbiased estimate between ``x`` and ``y``, (n, D) each in double precision, with n at least 4.

    1 / (n (n - 1)) sum_{i != j} h_ij,  h_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)

    It may be negative. A pair never meets itself, so x_i and y_i may depend on one another, as they do under one condition.

    Source: Gretton et al. 2012, eq. 4.
    """
    n = len(x)
    sums, squares = [], []
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        crossed = kernel(x[rows], y) + kernel(y[rows], x)
        pairs = kernel(x[rows], x) + kernel(y[rows], y) - crossed  # (block, n)
        pairs.diagonal(start).zero_()
        sums.append(pairs.sum(1))
        squares.append(pairs.square().sum(1))
    total = torch.cat(sums)
    return Estimate(float(total.sum() / (n * (n - 1))), _standard_error(total, torch.cat(squares)))


def _standard_error(sums: Tensor, squares: Tensor) -> float:
    """Return the error of a U-statistic from each row's sum of h and of its square, off the diagonal: (n,), (n,).

    The variance is 2 (2 (n - 2) v_1 + v_2) / (n (n - 1)), where v_1 is the covariance of two h that share an argument and
    v_2 the variance of h: Hoeffding 1948, eq. 5.18. Both are estimated without bias; v_1, which is zero between equal
    distributions, is then taken as at least zero, so that the error is somewhat too large there.
    """
    n, total = len(sums), sums.sum()
    squared_mean = (total**2 - 4 * sums.square().sum() + 2 * squares.sum()) / (n * (n - 1) * (n - 2) * (n - 3))
    shared = (sums.square() - squares).sum() / (n * (n - 1) * (n - 2)) - squared_mean
    variance = squares.sum() / (n * (n - 1)) - squared_mean
    return float((2 * (2 * (n - 2) * shared.clamp(min=0) + variance) / (n * (n - 1))).sqrt())


class MmdMetric(Metric):
    """Squared maximum mean discrepancy between samples and data, and between two halves of the data.

    :param n: how many samples, and how many examples if there are as many.
    :param scales: bandwidths of the kernels, in units of the median distance between examples.

    >>> found, of_data = MmdMetric(n=100).measure(model, test, train=train)  # a model of N(0, I), and such data
    >>> found.name, abs(found.value) < 3 * found.standard_error
    ('mmd2', True)
    """

    type: ClassVar[str] = "metrics/mmd"

    def __init__(self, n: int = 1000, scales: Sequence[float] = (0.5, 1.0, 2.0)) -> None:
        self.n, self.scales = n, scales

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``mmd2`` and ``mmd2_of_data``; samples are drawn under the conditions of the data, if any.

        :raises DataError: if there are fewer than 8 examples, or if all are equal.
        """
        used = drawn(split, self.n, seed)
        if len(used) < 8:
            raise DataError(f"a discrepancy and its baseline need 8 examples, the split {split.name!r} has {len(used)}")
        space = model.composition.data
        data = prepared(used, seed, model.device)
        x, y = vectors(data.x, space), vectors(samples_in_turn(model, len(used), data, seed), space)
        median = median_distance(x)
        bandwidths = [median * scale for scale in self.scales]
        protocol = stamp(
            self.type, split, seed, data=len(used), samples=len(y), kernel="mean of Gaussians", bandwidths=self._rule()
        )
        half = len(x) // 2
        bad = "; ".join(note for note in (not_finite(x, "data"), not_finite(y, "samples")) if note)
        return [
            _result("mmd2", squared_mmd(x, y, bandwidths), protocol, bad or f"median distance {median:.5g}"),
            _result(
                "mmd2_of_data", squared_mmd(x[:half], x[half : 2 * half], bandwidths), protocol, f"halves of {half} data each"
            ),
        ]

    def _rule(self) -> str:
        scales = ", ".join(f"{scale:g}" for scale in self.scales)
        return f"{scales} times the median distance of the first {MEDIAN_ROWS} data used"


def _result(name: str, estimate: Estimate, protocol: dict[str, object], note: str) -> MetricResult:
    return MetricResult(name, estimate.value, "", protocol, estimate.standard_error, note)


class KernelDistanceMetric(FeatureComparison):
    """Kernel distance of features: ``kd(...)``, and ``kd_of_data(...)`` of training data. Bińkowski et al. 2018, sec. 4.

    >>> found, of_data = KernelDistanceMetric(n=100).measure(model, test, train=train)
    >>> found.name, of_data.name
    ('kd(values)', 'kd_of_data(values)')
    """

    type = "metrics/kernel_distance"
    names = ("kd",)

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the squared discrepancy of equally many rows of both."""
        n = min(len(data), len(other))
        return {"kd": kernel_distance(data[:n], other[:n])}
