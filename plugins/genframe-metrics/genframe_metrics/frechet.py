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
from .specs import Frechet

__all__ = ["FrechetMetric", "Moments", "frechet_distance", "moments"]


@dataclass(frozen=True)
class Moments:
    """A mean (D,) and a root R (R', D) of the covariance, which is Rᵀ R."""

    mean: Tensor
    root: Tensor


def moments(x: Tensor) -> Moments:
    """Return the moments of the rows of ``x`` (n, D), the covariance with n - 1 below."""
    mean = x.mean(0)
    centred = (x - mean) / math.sqrt(len(x) - 1)
    return Moments(mean, torch.linalg.qr(centred, mode="r").R)


def frechet_distance(p: Moments, q: Moments) -> float:
    """Return |m_p - m_q|² + tr(S_p + S_q - 2 (S_p S_q)^½). Dowson & Landau 1982; Heusel et al. 2017, eq. 6.

    With S = Rᵀ R, tr (S_p S_q)^½ is the sum of the singular values of R_p R_qᵀ: no root of a covariance is taken, so that
    singular covariances lose no precision.
    """
    shared = torch.linalg.svdvals(p.root @ q.root.T).sum()
    return float((p.mean - q.mean).square().sum() + p.root.square().sum() + q.root.square().sum() - 2 * shared)


class FrechetMetric(FeatureComparison[Frechet]):
    """``fd(...)`` and ``fd_of_data(...)``, each with its jackknife error."""

    names = ("fd",)

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the distance."""
        return {"fd": jackknife(lambda x, y: frechet_distance(moments(x), moments(y)), data, other)}

    def protocol(self) -> Mapping[str, Any]:
        """Return how the error is made."""
        return {"error": JACKKNIFE}
