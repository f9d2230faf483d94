"""Fidelity and diversity by nearest neighbours in a space of features."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Final

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split

from .pairs import FeaturePairs, feature_pairs
from .specs import PrecisionRecall

__all__ = ["Neighbourhood", "PrecisionRecallMetric", "neighbourhood"]

ROWS: Final = 512


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
    radius_of_data, radius_of_samples = _radii(data, k), _radii(samples, k)
    within, nearest = torch.zeros(len(samples), device=data.device), []
    recalled = 0
    for at in range(0, len(data), ROWS):
        distances = _distances(data[at : at + ROWS], samples)  # (rows, m)
        within += (distances <= radius_of_data[at : at + ROWS, None]).sum(0)
        nearest.append(distances.amin(1))
        recalled += int((distances <= radius_of_samples).any(1).sum())
    covered = torch.cat(nearest) <= radius_of_data
    return Neighbourhood(
        float((within > 0).double().mean()),
        recalled / len(data),
        float(within.double().mean()) / k,
        float(covered.double().mean()),
    )


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Return distances that are zero between equal rows: (n, D), (m, D) -> (n, m)."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(x: Tensor, k: int) -> Tensor:
    """Return the distance of each row to its k-th nearest other row: (n, D) -> (n,)."""
    return torch.cat([_distances(rows, x).kthvalue(k + 1, 1).values for rows in x.split(ROWS)])  # the nearest is itself


class PrecisionRecallMetric(Metric):
    """Precision, recall, density and coverage of samples, and of training data in their place."""

    def __init__(self, spec: PrecisionRecall) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return the four figures with the extractor's name, each with that of training data after it.

        :raises DataError: if there are fewer than 20 data.
        :raises RunError: if the extractor cannot be used.
        """
        pairs = feature_pairs(self.spec, model, split, train, seed)
        of_samples, of_data = self._figures(pairs, pairs.samples), self._figures(pairs, pairs.train)
        protocol = {**pairs.stamp, "neighbours": self.spec.neighbours}
        results = []
        for name in of_samples:
            for full, figures, other in ((name, of_samples, pairs.samples), (f"{name}_of_data", of_data, pairs.train)):
                results.append(MetricResult(pairs.named(full), figures[name], "", protocol, note=pairs.note(other)))
        return results

    def _figures(self, pairs: FeaturePairs, samples: Tensor) -> dict[str, float]:
        if bool(pairs.data.isfinite().all() & samples.isfinite().all()):
            return asdict(neighbourhood(pairs.data, samples, self.spec.neighbours))
        return dict.fromkeys(("precision", "recall", "density", "coverage"), math.nan)
