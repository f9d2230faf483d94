"""Whitening: the eigenvectors and eigenvalues of a covariance as a bijection."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from genframe import Context, Real
from genframe.execution import full_precision

from .bijection import Bijection

__all__ = ["Whitener", "covariance"]

ROWS_AT_ONCE: Final = 1024


def covariance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and covariance in float64: (N, D) -> (D,), (D, D); rows are taken a batch at a time."""
    chunks = rows.split(ROWS_AT_ONCE)
    mean = torch.stack([chunk.double().sum(0) for chunk in chunks]).sum(0) / len(rows)
    scatter = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    for chunk in chunks:
        centred = chunk.double() - mean
        scatter.addmm_(centred.T, centred)
    return mean, scatter / len(rows)


class Whitener(Bijection):
    """y = diag(exp(s)) Vᵀ (x - mean), with s = -log(variance + eps) / 2 of the components V; V y where ``turned_back``.

    The state is kept in float64: in float32 the components would be orthogonal to 1e-7 only, in whatever precision the data
    are. The two rotations are applied one after the other, not multiplied: each keeps lengths, so that in float32 the inverse
    loses no more digits than the greatest deviation asks for, whatever the least one is.
    """

    mean: Tensor
    vectors: Tensor
    log_scale: Tensor

    def __init__(self, data: Real, *, turned_back: bool, eps: float) -> None:
        super().__init__()
        self.shape, self.turned_back, self.eps = data.shape, turned_back, eps
        self.register_buffer("mean", torch.zeros(data.dims, dtype=torch.float64))
        self.register_buffer("vectors", torch.eye(data.dims, dtype=torch.float64))
        self.register_buffer("log_scale", torch.zeros(data.dims, dtype=torch.float64))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of s: (B, ...) -> (B, ...) turned back, else (B, D)."""
        mean, vectors, log_scale = self._state(x)
        with full_precision(x):
            y = (x.flatten(1) - mean) @ vectors * log_scale.exp()
            return (y @ vectors.T).unflatten(1, self.shape) if self.turned_back else y, log_scale.sum()

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x: (B, ...)."""
        mean, vectors, log_scale = self._state(y)
        with full_precision(y):
            white = y.flatten(1) @ vectors if self.turned_back else y
            x: Tensor = torch.addmm(mean, white * log_scale.neg().exp(), vectors.T).unflatten(1, self.shape)
        return x

    def _state(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, components and s in the precision of the data."""
        return self.mean.to(x.dtype), self.vectors.to(x.dtype), self.log_scale.to(x.dtype)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Fit to data (N, ...)."""
        mean, matrix = covariance(x.flatten(1))
        variances, vectors = torch.linalg.eigh(matrix)
        self.mean.copy_(mean)
        self.vectors.copy_(vectors)
        self.log_scale.copy_(-0.5 * torch.log(variances.clamp(min=0) + self.eps))
        return super().initialise(x, context)
