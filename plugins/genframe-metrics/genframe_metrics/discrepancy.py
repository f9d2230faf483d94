"""Maximum mean discrepancy between a model's samples and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from torch import Generator, Tensor

from genframe import DataError, Metric, MetricResult, Model, Split, stamp
from genframe.measurement import not_finite

from .estimates import Estimate
from .features import vectors
from .pairs import FeatureComparison
from .protocol import drawn, prepared, samples_in_turn
from .specs import KernelDistance, Mmd

__all__ = ["KernelDistanceMetric", "MmdMetric", "kernel_distance", "median_distance", "squared_mmd"]

BLOCK: Final = 256
MEDIAN_ROWS: Final = 1000


def median_distance(x: Tensor) -> float:
    """Return the median distance between different rows of ``x`` (N, D), their mean where most of them are equal.

    :raises DataError: if all rows are equal, so that no bandwidth suits them.
    """
    distances = torch.pdist(x[:MEDIAN_ROWS])
    median, mean = float(distances.median()), float(distances.mean())
    if mean == 0:
        raise DataError("the data are all equal, so their distances give no bandwidth for a discrepancy")
    return median if median != 0 else mean


def _gaussian(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Return the mean over bandwidths of exp(-|x - y|^2 / (2 bandwidth^2)): (N, D), (M, D) -> (N, M)."""
    squares = torch.cdist(x, y).square()
    return torch.stack([torch.exp(-squares / (2 * bandwidth**2)) for bandwidth in bandwidths]).mean(0)


def squared_mmd(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Estimate:
    """Return the squared discrepancy under a mean of Gaussian kernels: (n, D), (n, D)."""
    return _discrepancy(x, y, lambda rows, columns: _gaussian(rows, columns, bandwidths))


def kernel_distance(x: Tensor, y: Tensor) -> Estimate:
    """Return the squared discrepancy under the kernel (x·y / D + 1)³: (n, D), (n, D). Bińkowski et al. 2018, sec. 4."""
    return _discrepancy(x, y, lambda rows, columns: (rows @ columns.T / x.shape[1] + 1) ** 3)


def _discrepancy(x: Tensor, y: Tensor, kernel: Callable[[Tensor, Tensor], Tensor]) -> Estimate:
    """Return the unbiased estimate between as many ``x`` as ``y``, at least four, (n, D) each in double precision.

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
    """Squared discrepancy of samples from data, and of one half of the data from the other."""

    def __init__(self, spec: Mmd) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``mmd2`` and ``mmd2_of_data``; samples are drawn under the data's conditions where there are any.

        :raises DataError: if there are fewer than 8 data, or if all are equal.
        """
        used = drawn(split, self.spec.n, seed)
        if len(used) < 8:
            raise DataError(f"a discrepancy and its baseline need 8 data, the split {split.name!r} has {len(used)}")
        space = model.composition.data
        data = prepared(used, seed, model.device)
        x, y = vectors(data.x, space), vectors(samples_in_turn(model, len(used), data, seed), space)
        median = median_distance(x)
        bandwidths = [median * scale for scale in self.spec.scales]
        protocol = stamp(
            self.spec, split, seed, data=len(used), samples=len(y), kernel="mean of Gaussians", bandwidths=self._rule()
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
        scales = ", ".join(f"{scale:g}" for scale in self.spec.scales)
        return f"{scales} times the median distance of the first {MEDIAN_ROWS} data used"


def _result(name: str, estimate: Estimate, protocol: dict[str, object], note: str) -> MetricResult:
    return MetricResult(name, estimate.value, "", protocol, estimate.standard_error, note)


class KernelDistanceMetric(FeatureComparison[KernelDistance]):
    """``kd(...)`` and ``kd_of_data(...)``."""

    names = ("kd",)

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the squared discrepancy of as many rows of either."""
        n = min(len(data), len(other))
        return {"kd": kernel_distance(data[:n], other[:n])}
