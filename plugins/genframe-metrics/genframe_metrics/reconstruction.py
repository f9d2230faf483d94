"""Errors of reconstructions, and of the best linear ones beside them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, average, blocks, evaluating, stamp

from .protocol import drawn
from .specs import Pca, Reconstruction

__all__ = ["PcaMetric", "PrincipalComponents", "ReconstructionMetric", "principal_components"]


def _figures(prefix: str, errors: Tensor, dims: int, protocol: dict[str, Any]) -> list[MetricResult]:
    """Return mean squared error a datum, and its root a dimension with its error to first order: errors (N,)."""
    total = average(f"{prefix}squared_error", errors, "squared units per datum", protocol)
    root = math.sqrt(total.value / dims)
    known = total.standard_error is not None and root != 0
    error = total.standard_error / (2 * dims * root) if total.standard_error is not None and known else None
    return [total, replace(total, name=f"{prefix}rmse", value=root, unit="units per dimension", standard_error=error)]


class ReconstructionMetric(Metric):
    """Squared difference between data and what the model makes of their latents."""

    def __init__(self, spec: Reconstruction) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``squared_error``, summed over a datum's dimensions, and ``rmse``."""
        used = drawn(split, self.spec.limit, seed)
        with evaluating(model):
            errors = [
                (model.reconstruct(batch.x, batch.condition) - batch.x).double().flatten(1).square().sum(1)
                for batch in blocks(used, seed, model.device)
            ]
        return _figures("", torch.cat(errors), model.composition.data.dims, stamp(self.spec, split, seed, data=len(used)))


class PrincipalComponents:
    """A linear autoencoder: ``mean`` (D,) and orthonormal ``directions`` (D, K)."""

    def __init__(self, mean: Tensor, directions: Tensor) -> None:
        self.mean, self.directions = mean, directions

    def squared_errors(self, x: Tensor) -> Tensor:
        """Return the squared distance of each datum from its projection: (B, ...) -> (B,)."""
        centred = x.flatten(1).double() - self.mean
        return (centred - centred @ self.directions @ self.directions.T).square().sum(1)


def principal_components(split: Split, count: int, seed: int) -> PrincipalComponents:
    """Fit the ``count`` directions of most variance to a split, by the eigenvectors of its covariance."""
    batches = [batch.x.flatten(1).double() for batch in blocks(split, seed, split.stored.device)]
    mean = torch.stack([x.sum(0) for x in batches]).sum(0) / len(split)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=mean.device)
    for x in batches:
        covariance += (x - mean).T @ (x - mean)
    return PrincipalComponents(mean, torch.linalg.eigh(covariance).eigenvectors[:, -count:])


class PcaMetric(Metric):
    """Errors of principal components that were fitted to the training split."""

    def __init__(self, spec: Pca) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``pca_squared_error`` and ``pca_rmse``; of the model only its spaces matter."""
        used = drawn(split, self.spec.limit, seed)
        count = self.spec.components or model.composition.latent.dims
        fitted = principal_components(train, count, seed)
        errors = [fitted.squared_errors(batch.x) for batch in blocks(used, seed, train.stored.device)]
        reference = {"split": train.name, "data": len(train)}
        protocol = stamp(self.spec, split, seed, data=len(used), components=count, fitted_to=reference)
        return _figures("pca_", torch.cat(errors), model.composition.data.dims, protocol)
