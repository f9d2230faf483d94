"""Fidelity and diversity by nearest neighbours in a space of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

import torch
from torch import Generator, Tensor

from .estimates import JACKKNIFE, Estimate, jackknife_error, without_each_fold
from .pairs import FeatureComparison
from .specs import PrecisionRecall

__all__ = ["Neighbourhood", "PrecisionRecallMetric", "neighbourhood"]

ROWS: Final = 512

Kept: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Neighbourhood:
    """How well samples lie among data, and data among samples; 1 is perfect, and density may be above."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood(data: Tensor, samples: Tensor, k: int) -> Neighbourhood:
    """Return the four figures of samples (m, D) among data (n, D), by balls that reach to the k-th neighbour of its own kind.

    Source: Kynkäänniemi et al. 2019, eq. 1 and 2; Naeem et al. 2020, eq. 3 and 5.
    """
    (only,) = _neighbourhoods(data, samples, k, [_all(data, samples)])
    return only


def _all(data: Tensor, samples: Tensor) -> Kept:
    of_data, of_samples = (torch.ones(len(rows), dtype=torch.bool, device=rows.device) for rows in (data, samples))
    return of_data, of_samples


def _neighbourhoods(data: Tensor, samples: Tensor, k: int, subsets: Sequence[Kept]) -> list[Neighbourhood]:
    """Return the figures of each subset, (n,) and (m,) masks; distances are computed once for all of them."""
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


class PrecisionRecallMetric(FeatureComparison[PrecisionRecall]):
    """Precision, recall, density and coverage, each with its jackknife error."""

    names = tuple(field.name for field in fields(Neighbourhood))

    def compare(self, data: Tensor, other: Tensor, generator: Generator) -> Mapping[str, Estimate]:
        """Return the four figures."""
        subsets = [_all(data, other), *zip(without_each_fold(data), without_each_fold(other), strict=True)]
        whole, *without = _neighbourhoods(data, other, self.spec.neighbours, subsets)
        errors = {name: jackknife_error([getattr(one, name) for one in without]) for name in self.names}
        return {name: Estimate(getattr(whole, name), errors[name]) for name in self.names}

    def protocol(self) -> Mapping[str, Any]:
        """Return which neighbour is meant, and how the errors are made."""
        return {"neighbours": self.spec.neighbours, "error": JACKKNIFE}
