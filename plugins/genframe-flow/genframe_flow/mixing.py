"""Linear layers: a scale for each value, for each entry of the first axis, and a matrix that mixes these."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context
from genframe.roles import full_precision

from .bijection import Bijection
from .spaces import Shape, unbounded

__all__ = ["ActNorm", "Diagonal", "Linear", "NormalisedLinear", "deviations"]

LEAST_DEVIATION: Final = 1e-6


class Diagonal(Bijection):
    """y = exp(s) x for each value. Dinh et al. 2014, sec. 3.3. ``initialise`` gives y a standard deviation of 1.

    :param data: the shape of one example.

    >>> _ = torch.manual_seed(0)
    >>> layer = Diagonal(2)
    >>> y = layer.initialise(torch.tensor([5.0, 0.1]) * torch.randn(100, 2))
    >>> bool(torch.allclose(y.std(0, correction=0), torch.ones(2), atol=1e-4))
    True
    """

    def __init__(self, data: Shape) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(unbounded(data).shape))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the sum of s."""
        return x * self.log_scale.exp(), self.log_scale.sum()

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return exp(-s) y."""
        return y * self.log_scale.neg().exp()

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Take the standard deviations of the data (N, ...); a value that does not vary keeps its scale."""
        with torch.no_grad():
            self.log_scale.copy_(-deviations(x).log())
        return super().initialise(x, context)


def deviations(x: Tensor) -> Tensor:
    """Return the standard deviation of each value over the rows, 1 for a value that does not vary: (N, ...) -> (...)."""
    deviation = x.std(0, correction=0)
    return torch.where(deviation > LEAST_DEVIATION, deviation, 1)


class ActNorm(Bijection):
    """y = exp(s) x + t for each entry of the first axis. Kingma & Dhariwal 2018, sec. 3.1.

    ``initialise`` gives y mean 0 and standard deviation 1 over rows and positions. What does not vary is shifted only.

    :param size: the size of the first axis.

    >>> _ = torch.manual_seed(0)
    >>> layer = ActNorm(3)
    >>> y = layer.initialise(5 + 2 * torch.randn(64, 3, 4, 4))
    >>> bool(torch.allclose(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-5))
    True
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))
        self.shift = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return y and the number of positions times the sum of s."""
        shift, log_scale = self._broadcast(x)
        return torch.addcmul(shift, x, log_scale.exp()), self.log_scale.sum() * math.prod(x.shape[2:])

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return exp(-s) (y - t)."""
        shift, log_scale = self._broadcast(y)
        return (y - shift) * log_scale.neg().exp()

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Take the mean and the standard deviation of the data (N, C, ...)."""
        rows = x.transpose(0, 1).flatten(1)
        log_scale = -deviations(rows.T).log()
        with torch.no_grad():
            self.log_scale.copy_(log_scale)
            self.shift.copy_(-rows.mean(1) * log_scale.exp())
        return super().initialise(x, context)

    def _broadcast(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *(1,) * (x.dim() - 2))
        return self.shift.reshape(shape), self.log_scale.reshape(shape)


@dataclass(frozen=True)
class Mixture:
    """y = matrix · x + shift over the first axis: (C, C), (C,)."""

    matrix: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return (B, C, ...) -> (B, C, ...); a batched product, which on a CPU takes a third of a 1×1 convolution's time."""
        if x.dim() == 2:
            return F.linear(x, self.matrix, self.shift)
        matrices = self.matrix.expand(len(x), -1, -1)
        return torch.baddbmm(self.shift[:, None], matrices, x.flatten(2)).reshape(x.shape)


@dataclass(frozen=True)
class Kept:
    """A mixture and its inverse, and copies of the weights of which they were made."""

    weights: tuple[Tensor, ...]
    forward: Mixture
    inverse: Mixture

    def is_of(self, weights: tuple[Tensor, ...]) -> bool:
        """Return whether the weights still have the same values; a fused optimizer changes no version counter."""
        pairs = zip(self.weights, weights, strict=True)
        return all(a.dtype == b.dtype and a.device == b.device and torch.equal(a, b) for a, b in pairs)


class Linear(Bijection):
    """y = P L (U + diag(exp(s) · sign)) x over the first axis: a 1×1 convolution where there are more axes.

    Kingma & Dhariwal 2018, eq. 10; for vectors Oliva et al. 2018. P and the signs are fixed; L and U are triangular with ones
    and zeros on the diagonal. ``factors`` holds L below its diagonal, s on it and U above. At first the matrix is a random
    rotation. Without gradients the matrix and its inverse are kept until the weights change.

    :param size: the size of the first axis.

    >>> _ = torch.manual_seed(0)
    >>> layer, x = Linear(3), torch.randn(2, 3, 4, 4)
    >>> y, log_det = layer(x)
    >>> y.shape, bool(torch.allclose(layer.inverse(y), x, atol=1e-5))
    (torch.Size([2, 3, 4, 4]), True)
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(size, size))
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.factors = nn.Parameter(lower.tril(-1) + torch.diag(diagonal.abs().log()) + upper.triu(1))
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())
        self._kept: Kept | None = None

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return W x and the number of positions times the sum of s."""
        with full_precision(x):
            mixture = self._mixture() if _changing() else self._both().forward
            return mixture(x), self._log_scales().sum() * math.prod(x.shape[2:])

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return W⁻¹ y."""
        with full_precision(y):
            mixture = self._inverse_mixture() if _changing() else self._both().inverse
            return mixture(y)

    def _weights(self) -> tuple[Tensor, ...]:
        """Return all of which the matrix and its shift are made."""
        return self.factors, self.permutation, self.sign

    def _log_scales(self) -> Tensor:
        """Return the logarithms of scales whose sum is the log-determinant at one position."""
        return self.factors.diagonal()

    def _upper(self) -> Tensor:
        """Return U + diag(exp(s) · sign)."""
        return self.factors.triu(1) + torch.diag(self.factors.diagonal().exp() * self.sign)

    def _mixture(self) -> Mixture:
        upper = self._upper()
        return Mixture(self.permutation @ torch.addmm(upper, self.factors.tril(-1), upper), torch.zeros_like(self.sign))

    def _inverse_mixture(self) -> Mixture:
        """Return U⁻¹ L⁻¹ Pᵀ by two triangular solves, in float64, in which a small diagonal costs no digits."""
        lower, upper = self.factors.double(), self._upper().double()
        solved = torch.linalg.solve_triangular(lower, self.permutation.double().T, upper=False, unitriangular=True)
        inverse = torch.linalg.solve_triangular(upper, solved, upper=True)
        return Mixture(inverse.to(self.factors.dtype), torch.zeros_like(self.sign))

    def _both(self) -> Kept:
        """Return the mixture and its inverse; those from before if the weights have not changed."""
        weights = self._weights()
        if self._kept is None or not self._kept.is_of(weights):
            copies = tuple(weight.detach().clone() for weight in weights)
            self._kept = Kept(copies, self._mixture(), self._inverse_mixture())
        return self._kept


class NormalisedLinear(Linear):
    """y = W (exp(s) x + t): :class:`ActNorm` and then :class:`Linear`, in one product. Kingma & Dhariwal 2018, fig. 2a.

    :param size: the size of the first axis.

    >>> _ = torch.manual_seed(0)
    >>> layer, x = NormalisedLinear(3), torch.randn(8, 3)
    >>> y, log_det = layer(x)
    >>> y.shape, bool(torch.allclose(layer.inverse(y), x, atol=1e-5))
    (torch.Size([8, 3]), True)
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.norm = ActNorm(size)

    def initialise(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Let exp(s) x + t normalise the data."""
        self.norm.initialise(x)
        return super().initialise(x, context)

    def _weights(self) -> tuple[Tensor, ...]:
        return *super()._weights(), self.norm.log_scale, self.norm.shift

    def _log_scales(self) -> Tensor:
        return super()._log_scales() + self.norm.log_scale

    def _mixture(self) -> Mixture:
        """Return W diag(exp(s)) and W t."""
        matrix = super()._mixture().matrix
        return Mixture(matrix * self.norm.log_scale.exp(), matrix @ self.norm.shift)

    def _inverse_mixture(self) -> Mixture:
        """Return diag(exp(-s)) W⁻¹ and -exp(-s) t."""
        scale = self.norm.log_scale.neg().exp()
        return Mixture(scale[:, None] * super()._inverse_mixture().matrix, -scale * self.norm.shift)


def _changing() -> bool:
    """Return whether weights may change between this call and the next, or are inputs of a graph."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()
