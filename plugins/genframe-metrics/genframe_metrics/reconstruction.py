"""Errors of reconstructions, and of the best linear ones as a reference."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, average, blocks, evaluating, stamp

from .protocol import drawn

__all__ = ["PcaMetric", "PrincipalComponents", "ReconstructionMetric", "principal_components"]


def _results(prefix: str, errors: Tensor, dims: int, protocol: dict[str, Any]) -> list[MetricResult]:
    """Return the mean squared error per example, and its root per dimension with its error to first order: errors (N,)."""
    total = average(f"{prefix}squared_error", errors, "squared units per datum", protocol)
    root = math.sqrt(total.value / dims)
    known = total.standard_error is not None and root != 0
    error = total.standard_error / (2 * dims * root) if total.standard_error is not None and known else None
    return [total, replace(total, name=f"{prefix}rmse", value=root, unit="units per dimension", standard_error=error)]


class ReconstructionMetric(Metric):
    """Squared difference between examples and their reconstructions by the model.

    :param limit: use only this many examples, drawn by the seed; all unless given.

    >>> error, rmse = ReconstructionMetric().measure(model, test, train=train)  # the identity and back
    >>> error.value, rmse.value
    (0.0, 0.0)
    """

    type: ClassVar[str] = "metrics/reconstruction"

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``squared_error``, summed over the dimensions of an example, and ``rmse``."""
        used = drawn(split, self.limit, seed)
        with evaluating(model):
            errors = [
                (model.reconstruct(batch.x, batch.condition) - batch.x).double().flatten(1).square().sum(1)
                for batch in blocks(used, seed, model.device)
            ]
        return _results("", torch.cat(errors), model.composition.data.dims, stamp(self.type, split, seed, data=len(used)))


class PrincipalComponents:
    """A linear autoencoder: ``mean`` (D,) and orthonormal ``directions`` (D, K).

    >>> plane = PrincipalComponents(torch.zeros(3).double(), torch.eye(3).double()[:, :2])
    >>> plane.squared_errors(torch.tensor([[1.0, 1.0, 2.0]]))
    tensor([4.], dtype=torch.float64)
    """

    def __init__(self, mean: Tensor, directions: Tensor) -> None:
        self.mean, self.directions = mean, directions

    def squared_errors(self, x: Tensor) -> Tensor:
        """Return the squared distance of each example from its projection: (B, ...) -> (B,)."""
        centred = x.flatten(1).double() - self.mean
        return (centred - centred @ self.directions @ self.directions.T).square().sum(1)


def principal_components(split: Split, count: int, seed: int) -> PrincipalComponents:
    """Return the ``count`` directions of most variance in a split: eigenvectors of its covariance."""
    batches = [batch.x.flatten(1).double() for batch in blocks(split, seed, split.device)]
    mean = torch.stack([x.sum(0) for x in batches]).sum(0) / len(split)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=mean.device)
    for x in batches:
        covariance += (x - mean).T @ (x - mean)
    return PrincipalComponents(mean, torch.linalg.eigh(covariance).eigenvectors[:, -count:])


class PcaMetric(Metric):
    """Reconstruction errors of principal components that are fitted to the training split.

    :param components: how many; as many as the latent has dimensions unless given.
    :param limit: use only this many examples, drawn by the seed; all unless given.

    >>> error, rmse = PcaMetric(components=1).measure(model, test, train=train)
    >>> error.name, 0.5 < error.value < 1.5  # the variance of the other dimension is 1
    ('pca_squared_error', True)
    """

    type: ClassVar[str] = "metrics/pca"

    def __init__(self, components: int | None = None, limit: int | None = None) -> None:
        self.components, self.limit = components, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``pca_squared_error`` and ``pca_rmse``; of the model only its spaces matter."""
        used = drawn(split, self.limit, seed)
        count = self.components or model.composition.latent.dims
        fitted = principal_components(train, count, seed)
        errors = [fitted.squared_errors(batch.x) for batch in blocks(used, seed, train.device)]
        reference = {"split": train.name, "data": len(train)}
        protocol = stamp(self.type, split, seed, data=len(used), components=count, fitted_to=reference)
        return _results("pca_", torch.cat(errors), model.composition.data.dims, protocol)
