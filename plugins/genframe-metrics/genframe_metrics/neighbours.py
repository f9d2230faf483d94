"""Fidelity and diversity by nearest neighbours in a space of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Generator, Tensor

from .estimates import JACKKNIFE, Estimate, jackknife_error, without_each_fold
from .features import Extractor
from .pairs import FeatureComparison

__all__ = ["Neighbourhood", "PrecisionRecallMetric", "precision_recall"]

ROWS: Final = 512

Kept: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Neighbourhood:
    """How well samples lie among data, and data among samples; 1 is perfect, and density may be above 1.

    >>> data = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> precision_recall(data, data[:2] + 0.5, k=1)
    Neighbourhood(precision=1.0, recall=0.75, density=2.0, coverage=0.75)
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(data: Tensor, samples: Tensor, k: int = 5) -> Neighbourhood:
    """Return precision, recall, density and coverage of samples (m, D) for data (n, D).

    They count who lies in whose ball: around each row, out to its k-th nearest neighbour of its own kind.

    Source: Kynkäänniemi et al. 2019, eq. 1 and 2; Naeem et al. 2020, eq. 3 and 5.
    """
    (only,) = _neighbourhoods(data, samples, k, [_all(data, samples)])
    return only


def _all(data: Tensor, samples: Tensor) -> Kept:
    of_data, of_samples = (torch.ones(len(rows), dtype=torch.bool, device=rows.device) for rows in (data, samples))
    return of_data, of_samples


def _neighbourhoods(data: Tensor, samples: Tensor, k: int, subsets: Sequence[Kept]) -> list[Neighbourhood]:
    """Return the values of each subset, (n,) and (m,) masks; distances are computed once for all of them."""
    reach = _radii(data, k, [kept for kept, _ in subsets])
    reach_back = _radii(samples, k, [kept for _, kept in subsets])
    inside = [torch.zeros(int(kept.sum()), device=data.device) for _, kept in subsets]
    covered, recalled = [0] * len(subsets), [0] * len(subsets)
    for at in range(0, len(data), ROWS):
        rows = slice(at, at + ROWS)
        distances = _distances(data[rows], samples)  # (rows, m)
        for number, (of_data, of_samples) in enumerate(subsets):
            between = distances[of_data[rows]][:, of_samples]
            radius = reach[number, rows][of_data[rows], None]
            within = between <= radius
            inside[number] += within.sum(0)
            covered[number] += int(within.any(1).sum())
            recalled[number] += int((between <= reach_back[number, of_samples]).any(1).sum())
    return [
        Neighbourhood(
            float((count > 0).double().mean()),
            recalled[number] / int(subsets[number][0].sum()),
            float(count.double().mean()) / k,
            covered[number] / int(subsets[number][0].sum()),
        )
        for number, count in enumerate(inside)
    ]


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Return distances that are zero between equal rows: (n, D), (m, D) -> (n, m)."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(x: Tensor, k: int, subsets: Sequence[Tensor]) -> Tensor:
    """Return the distance of each row to its k-th nearest other row of each subset it is in: (n, D) -> (subsets, n)."""
    blocks = []
    for rows in x.split(ROWS):
        distances = _distances(rows, x)  # the nearest of each is itself
        blocks.append(torch.stack([distances[:, kept].kthvalue(k + 1, 1).values for kept in subsets]))
    return torch.cat(blocks, 1)


class PrecisionRecallMetric(FeatureComparison):
    """Precision, recall, density and coverage, each with its jackknife error.

    :param features: a function from data to features, the folder of a run that gives them, or the values themselves.
    :param n: how many samples, and how many examples if there are as many; at least 20.
    :param neighbours: k, the neighbour to which a ball reaches.

    >>> results = PrecisionRecallMetric(n=100, neighbours=3).measure(model, test, train=train)
    >>> [result.name for result in results[::2]]
    ['precision(values)', 'recall(values)', 'density(values)', 'coverage(values)']
    """

    type = "metrics/precision_recall"
    names = tuple(field.name for field in fields(Neighbourhood))

    def __init__(self, features: Path | Extractor | None = None, n: int = 2048, neighbours: int = 5) -> None:
        super().__init__(features, n)
        self.neighbours = neighbours

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the four values."""
        subsets = [_all(data, other), *zip(without_each_fold(data), without_each_fold(other), strict=True)]
        whole, *without = _neighbourhoods(data, other, self.neighbours, subsets)
        errors = {name: jackknife_error([getattr(one, name) for one in without]) for name in self.names}
        return {name: Estimate(getattr(whole, name), errors[name]) for name in self.names}

    def protocol(self) -> Mapping[str, Any]:
        """Return which neighbour is meant, and how the errors are estimated."""
        return {"neighbours": self.neighbours, "error": JACKKNIFE}
