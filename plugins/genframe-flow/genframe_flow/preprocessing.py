"""Preprocessing as bijections: the logit of bounded data, scales, and whitening."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from genframe import Context
from genframe.roles import full_precision

from .bijection import Bijection
from .mixing import deviations
from .spaces import Shape, unbounded

__all__ = ["LogitMap", "Rescaling", "Standardisation", "Whitener", "covariance"]

COVARIANCE_ROWS: Final = 1024


class LogitMap(Bijection):
    """y = log s - log(1 - s), s = alpha + (1 - 2 alpha) (x - low) / (high - low). Dinh et al. 2017, sec. 4.1.

    :param low: the lower bound of the data.
    :param high: the upper bound.
    :param alpha: how far s stays from 0 and 1, between 0 and 0.5.

    >>> y, log_det = LogitMap(0, 1)(torch.tensor([[0.0, 0.5, 1.0]]))
    >>> [round(value, 3) for value in y[0].tolist()]
    [-2.944, 0.0, 2.944]
    """

    def __init__(self, low: float, high: float, alpha: float = 0.05) -> None:
        super().__init__()
        self.low, self.high, self.alpha = low, high, alpha
        self.slope = (1 - 2 * alpha) / (high - low)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of log dy/dx = log slope - log s - log(1 - s)."""
        log_below = torch.log(self.alpha + self.slope * (x - self.low))
        log_above = torch.log(self.alpha + self.slope * (self.high - x))  # not of 1 - s, which is less precise at the bound
        log_volume = math.prod(x.shape[1:]) * math.log(self.slope)
        return log_below - log_above, log_volume - (log_below + log_above).flatten(1).sum(1)

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return x, within the bounds."""
        return (self.low + (torch.sigmoid(y) - self.alpha) / self.slope).clamp(self.low, self.high)


class Rescaling(Bijection):
    """y = scale x + shift.

    :param scale: positive; one for each value, or one for all.
    :param shift: of the same shape.
    :param learnt: put both into the state, since they come from data.

    >>> y, log_det = Rescaling(torch.tensor(2.0), torch.tensor(-1.0))(torch.tensor([[0.0, 1.0]]))
    >>> y.tolist(), round(log_det.item(), 4)
    ([[-1.0, 1.0]], 1.3863)
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor, *, learnt: bool = False) -> None:
        super().__init__()
        self.register_buffer("scale", scale, persistent=learnt)
        self.register_buffer("shift", shift, persistent=learnt)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of the logarithms of the scale."""
        repeats = math.prod(x.shape[1:]) // self.scale.numel()
        return torch.addcmul(self.shift, x, self.scale), self.scale.log().sum() * repeats

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return (y - shift) / scale."""
        return (y - self.shift) / self.scale


class Standardisation(Rescaling):
    """A rescaling by mean and standard deviation of training data, which ``initialise`` takes; the identity before.

    :param data: the shape of one example.

    >>> _ = torch.manual_seed(0)
    >>> y = Standardisation(2).initialise(torch.tensor([3.0, -1.0]) + torch.tensor([5.0, 0.1]) * torch.randn(100, 2))
    >>> bool(torch.allclose(y.std(0, correction=0), torch.ones(2), atol=1e-4))
    True
    """

    def __init__(self, data: Shape) -> None:
        shape = unbounded(data).shape
        super().__init__(torch.ones(shape), torch.zeros(shape), learnt=True)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Take mean and standard deviation of the data (N, ...); a value that does not vary keeps its scale."""
        scale = deviations(x).reciprocal()
        self.scale.copy_(scale)
        self.shift.copy_(-x.mean(0) * scale)
        return super().initialise(x, context)


def covariance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and covariance in float64, from a batch of rows at a time: (N, D) -> (D,), (D, D)."""
    chunks = rows.split(COVARIANCE_ROWS)
    mean = torch.stack([chunk.double().sum(0) for chunk in chunks]).sum(0) / len(rows)
    scatter = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    for chunk in chunks:
        centred = chunk.double() - mean
        scatter.addmm_(centred.T, centred)
    return mean, scatter / len(rows)


class Whitener(Bijection):
    """y = diag(exp(s)) Vᵀ (x - mean), with s = -log(variance + eps) / 2 of the principal components V. Krizhevsky 2009, app. A.

    ``initialise`` fits it to data; before it is the identity. The state is in float64: in float32 the components would be
    orthogonal to 1e-7 only, whatever the precision of the data. The two rotations are applied one after the other and not
    multiplied: each keeps lengths, so that the inverse in float32 loses only the digits that the greatest deviation costs.

    :param data: the shape of one example.
    :param turned_back: return V y, in the axes of the data (zca), instead of the components (pca).
    :param eps: added to the variance of each component; bounds the scale.

    >>> _ = torch.manual_seed(0)
    >>> y = Whitener(2).initialise(torch.randn(500, 2) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]))
    >>> bool(torch.allclose(y.T @ y / 500, torch.eye(2), atol=1e-3))
    True
    """

    mean: Tensor
    vectors: Tensor
    log_scale: Tensor

    def __init__(self, data: Shape, *, turned_back: bool = True, eps: float = 1e-6) -> None:
        super().__init__()
        space = unbounded(data)
        self.shape, self.turned_back, self.eps = space.shape, turned_back, eps
        self.register_buffer("mean", torch.zeros(space.dims, dtype=torch.float64))
        self.register_buffer("vectors", torch.eye(space.dims, dtype=torch.float64))
        self.register_buffer("log_scale", torch.zeros(space.dims, dtype=torch.float64))

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
        """Return mean, components and s in the precision of ``x``."""
        return self.mean.to(x.dtype), self.vectors.to(x.dtype), self.log_scale.to(x.dtype)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Fit to the data (N, ...)."""
        mean, matrix = covariance(x.flatten(1))
        variances, vectors = torch.linalg.eigh(matrix)
        self.mean.copy_(mean)
        self.vectors.copy_(vectors)
        self.log_scale.copy_(-0.5 * torch.log(variances.clamp(min=0) + self.eps))
        return super().initialise(x, context)
