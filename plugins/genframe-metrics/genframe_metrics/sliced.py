"""The sliced Wasserstein distance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from .estimates import JACKKNIFE, Estimate, jackknife
from .features import Extractor
from .pairs import FeatureComparison

__all__ = ["SlicedWassersteinMetric", "directions", "sliced_wasserstein", "wasserstein"]


def wasserstein(x: Tensor, y: Tensor, order: int) -> Tensor:
    """Return W_p^p between columns: (n, P), (m, P) -> (P,), the integral over q of |x's quantile - y's quantile|^p."""
    n, m = len(x), len(y)
    x, y = x.sort(0).values, y.sort(0).values
    if n == m:
        return (x - y).abs().pow(order).mean(0)
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # in units of 1 / (n m)
    lengths = torch.diff(ends, prepend=ends.new_zeros(1)).to(x)[:, None] / (n * m)
    return ((x[(ends - 1) // m] - y[(ends - 1) // n]).abs().pow(order) * lengths).sum(0)


def directions(dims: int, count: int, like: Tensor, generator: Generator | None = None) -> Tensor:
    """Return ``count`` uniform directions (D, P) with the device and dtype of ``like``."""
    noise = torch.randn(count, dims, generator=generator, device=like.device, dtype=like.dtype)
    return F.normalize(noise, dim=1).T


def sliced_wasserstein(
    x: Tensor, y: Tensor, order: int = 2, projections: int = 256, generator: Generator | None = None
) -> float:
    """Return (E_u W_p(u·x, u·y)^p)^(1/p) of (n, D) and (m, D) over random directions u. Bonneel et al. 2015, eq. 8.

    >>> x = torch.zeros(10, 3)
    >>> round(sliced_wasserstein(x, x + 1, generator=torch.Generator().manual_seed(0)), 1)  # 1 in expectation
    1.0
    """
    ways = directions(x.shape[1], projections, x, generator)
    return _mean_distance(x @ ways, y @ ways, order)


def _mean_distance(x: Tensor, y: Tensor, order: int) -> float:
    """Return the distance averaged over projections (n, P), (m, P)."""
    return float(wasserstein(x, y, order).mean() ** (1 / order))


class SlicedWassersteinMetric(FeatureComparison):
    """Sliced Wasserstein distance of features: ``sw1(...)`` or ``sw2(...)``, by its order. Rabin et al. 2011.

    :param features: a function from data to features, the folder of a run that gives them, or the values themselves.
    :param n: how many samples, and how many examples if there are as many; at least 20.
    :param order: p, the power of distances, 1 or 2.
    :param projections: how many directions.

    >>> found, of_data = SlicedWassersteinMetric(n=100, order=1).measure(model, test, train=train)
    >>> found.name, of_data.name
    ('sw1(values)', 'sw1_of_data(values)')
    """

    type = "metrics/sliced_wasserstein"

    def __init__(self, features: Path | Extractor | None = None, n: int = 2048, order: int = 2, projections: int = 256) -> None:
        super().__init__(features, n)
        self.order, self.projections, self.names = order, projections, (f"sw{order}",)

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the distance; its error is over rows, for the directions that were drawn."""
        ways = directions(data.shape[1], self.projections, data, generator)
        distance = partial(_mean_distance, order=self.order)
        return {self.names[0]: jackknife(distance, data @ ways, other @ ways)}

    def protocol(self) -> Mapping[str, Any]:
        """Return the order, the number of directions, and how the error is estimated."""
        return {"order": self.order, "projections": self.projections, "error": JACKKNIFE}
