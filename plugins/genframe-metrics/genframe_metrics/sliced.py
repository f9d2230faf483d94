"""The sliced Wasserstein distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from .estimates import JACKKNIFE, Estimate, jackknife
from .pairs import FeatureComparison
from .specs import SlicedWasserstein

__all__ = ["SlicedWassersteinMetric", "directions", "wasserstein"]


def wasserstein(x: Tensor, y: Tensor, order: int) -> Tensor:
    """Return W_p^p between columns: (n, P), (m, P) -> (P,), the integral over q of |x's quantile - y's quantile|^p."""
    n, m = len(x), len(y)
    x, y = x.sort(0).values, y.sort(0).values
    if n == m:
        return (x - y).abs().pow(order).mean(0)
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # in units of 1 / (n m)
    lengths = torch.diff(ends, prepend=ends.new_zeros(1)).to(x)[:, None] / (n * m)
    return ((x[(ends - 1) // m] - y[(ends - 1) // n]).abs().pow(order) * lengths).sum(0)


def directions(dims: int, count: int, like: Tensor, generator: Generator) -> Tensor:
    """Return uniform directions (D, P) of the type of ``like``."""
    noise = torch.randn(count, dims, generator=generator, device=like.device, dtype=like.dtype)
    return F.normalize(noise, dim=1).T


class SlicedWassersteinMetric(FeatureComparison[SlicedWasserstein]):
    """``sw1(...)`` or ``sw2(...)``, by its order."""

    def __init__(self, spec: SlicedWasserstein) -> None:
        super().__init__(spec)
        self.names = (f"sw{spec.order}",)  # type: ignore[misc]  # one name by a field

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the distance; its error is over rows, the directions as they are."""
        order, ways = self.spec.order, directions(data.shape[1], self.spec.projections, data, generator)

        def distance(x: Tensor, y: Tensor) -> float:
            return float(wasserstein(x, y, order).mean() ** (1 / order))

        return {self.names[0]: jackknife(distance, data @ ways, other @ ways)}

    def protocol(self) -> Mapping[str, Any]:
        """Return the order, the number of directions, and how the error is made."""
        return {"order": self.spec.order, "projections": self.spec.projections, "error": JACKKNIFE}
