"""The Fréchet distance between normals with the moments of features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import pvariance
from typing import Final

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split

from .pairs import FeaturePairs, feature_pairs
from .specs import Frechet

__all__ = ["FrechetMetric", "Moments", "frechet_distance", "jackknife_error", "moments"]

BLOCKS: Final = 10


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


def jackknife_error(statistic: Callable[[Tensor, Tensor], float], x: Tensor, y: Tensor) -> float:
    """Return the standard error of a statistic of (n, D), (m, D) by leaving out each tenth of the rows of both in turn.

    Source: Efron & Tibshirani 1993, ch. 11.
    """
    of_x, of_y = (torch.arange(len(rows), device=rows.device) % BLOCKS for rows in (x, y))
    values = [statistic(x[of_x != left_out], y[of_y != left_out]) for left_out in range(BLOCKS)]
    return math.sqrt((BLOCKS - 1) * pvariance(values))


class FrechetMetric(Metric):
    """Fréchet distance of features of samples from those of data, and of training data from the same."""

    def __init__(self, spec: Frechet) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``fd(...)`` and ``fd_of_data(...)``, with the extractor's name, each with its jackknife error.

        :raises DataError: if there are fewer than 20 data.
        :raises RunError: if the extractor cannot be used.
        """
        pairs = feature_pairs(self.spec, model, split, train, seed)
        return [self._result("fd", pairs, pairs.samples), self._result("fd_of_data", pairs, pairs.train)]

    def _result(self, name: str, pairs: FeaturePairs, y: Tensor) -> MetricResult:
        protocol, note = {**pairs.stamp, "error": f"jackknife of {BLOCKS} blocks"}, pairs.note(y)
        if not bool(pairs.data.isfinite().all() & y.isfinite().all()):
            return MetricResult(pairs.named(name), math.nan, "", protocol, None, note)
        value, error = _distance(pairs.data, y), jackknife_error(_distance, pairs.data, y)
        return MetricResult(pairs.named(name), value, "", protocol, error, note)


def _distance(x: Tensor, y: Tensor) -> float:
    return frechet_distance(moments(x), moments(y))
