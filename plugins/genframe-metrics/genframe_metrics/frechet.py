"""The Fréchet distance between normals with the moments of features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from .estimates import JACKKNIFE, Estimate, jackknife
from .pairs import FeatureComparison

__all__ = ["FrechetMetric", "Moments", "frechet_distance", "moments", "normal_distance"]


@dataclass(frozen=True)
class Moments:
    """A mean (D,) and a root R (R', D) of the covariance, which is Rᵀ R.

    >>> found = moments(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
    >>> found.mean, torch.allclose(found.root.T @ found.root, torch.tensor([[2.0, 0.0], [0.0, 0.0]]), atol=1e-6)
    (tensor([1., 1.]), True)
    """

    mean: Tensor
    root: Tensor


def moments(x: Tensor) -> Moments:
    """Return the moments of the rows of ``x`` (n, D), the covariance with the divisor n - 1."""
    mean = x.mean(0)
    centred = (x - mean) / math.sqrt(len(x) - 1)
    return Moments(mean, torch.linalg.qr(centred, mode="r").R)


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Return the Fréchet distance between normals with the moments of (n, D) and (m, D). Heusel et al. 2017, eq. 6.

    >>> x = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
    >>> round(frechet_distance(x, x + 1), 4)  # equal covariances, so the distance of the means squared
    8.0
    """
    return normal_distance(moments(x.double()), moments(y.double()))


def normal_distance(p: Moments, q: Moments) -> float:
    """Return |m_p - m_q|² + tr(S_p + S_q - 2 (S_p S_q)^½). Dowson & Landau 1982; Heusel et al. 2017, eq. 6.

    With S = Rᵀ R, tr (S_p S_q)^½ is the sum of the singular values of R_p R_qᵀ: no root of a covariance is taken, so that
    singular covariances lose no precision.
    """
    shared = torch.linalg.svdvals(p.root @ q.root.T).sum()
    return float((p.mean - q.mean).square().sum() + p.root.square().sum() + q.root.square().sum() - 2 * shared)


class FrechetMetric(FeatureComparison):
    """Fréchet distance of features: ``fd(...)``, and ``fd_of_data(...)`` of training data, with jackknife errors.

    >>> found, of_data = FrechetMetric(n=100).measure(model, test, train=train)
    >>> found.name, of_data.name
    ('fd(values)', 'fd_of_data(values)')
    >>> halves = Extractor("first", lambda x: x[:, :1])
    >>> FrechetMetric(halves, n=100).measure(model, test, train=train)[0].name
    'fd(first)'
    """

    type = "metrics/frechet"
    names = ("fd",)

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the distance."""
        return {"fd": jackknife(frechet_distance, data, other)}

    def protocol(self) -> Mapping[str, Any]:
        """Return how the error is estimated."""
        return {"error": JACKKNIFE}
