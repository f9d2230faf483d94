"""A codebook: vectors that are found by distance, and learn by moving averages or by gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .traits import LearningRule

__all__ = ["MOVING_AVERAGES", "Codebook", "Learning", "k_means"]

SMOOTHING: Final = 1e-5
ITERATIONS: Final = 10
ROWS_A_CODE: Final = 100  # more rows would not move the means of k-means by much


@dataclass(frozen=True)
class Learning:
    """How the vectors of a codebook learn.

    ``rule``: as moving averages of their features (``ema``), or by gradient. ``decay``: of the averages, per batch. ``revive``:
    the number of batches without use after which a vector is moved to a feature of the batch; ``None`` for never.

    >>> Learning(decay=0.9)
    Learning(rule='ema', decay=0.9, revive=100)
    """

    rule: LearningRule = "ema"
    decay: float = 0.99
    revive: int | None = 100


MOVING_AVERAGES: Final = Learning()


class Codebook(nn.Module):
    """A table of ``size`` vectors of ``dim`` values; on the unit sphere where ``cosine`` is set.

    Moving averages: van den Oord et al. 2017, app. A.1, eqs. 6-8; their counts have Laplace smoothing of 1e-5.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> book = Codebook(size=16, dim=4)
    >>> indices = book.nearest(torch.randn(100, 4))
    >>> book(indices).shape
    torch.Size([100, 4])
    """

    weight: Tensor
    counts: Tensor
    sums: Tensor
    idle: Tensor

    def __init__(self, size: int = 512, dim: int = 64, *, cosine: bool = False, learning: Learning = MOVING_AVERAGES) -> None:
        super().__init__()
        self.size, self.decay, self.revive = size, learning.decay, learning.revive
        self.cosine, self.averages = cosine, learning.rule == "ema"
        weight = torch.randn(size, dim)
        if self.averages:
            self.register_buffer("weight", weight)
            self.register_buffer("counts", torch.ones(size))
            self.register_buffer("sums", weight.clone())
        else:
            self.weight = nn.Parameter(weight)
        self.register_buffer("idle", torch.zeros(size, dtype=torch.int64))  # batches since a code was last used

    @property
    def vectors(self) -> Tensor:
        """The vectors: (size, dim)."""
        return F.normalize(self.weight, dim=1) if self.cosine else self.weight

    def forward(self, indices: Tensor) -> Tensor:
        """Return the vectors at ``indices``: (...) -> (..., D)."""
        return F.embedding(indices, self.vectors)

    def distances(self, rows: Tensor) -> Tensor:
        """Return half the squared distance of rows from vectors, without the rows' own squares: (N, dim) -> (N, size)."""
        vectors = self.vectors.detach()
        return torch.addmm(0.5 * vectors.square().sum(1), rows, vectors.T, alpha=-1)

    @torch.no_grad()
    def nearest(self, rows: Tensor) -> Tensor:
        """Return the index of the nearest vector: (N, D) -> (N,)."""
        return self.distances(rows).argmin(1)

    @torch.no_grad()
    def learn(self, rows: Tensor, indices: Tensor) -> None:
        """Update the averages with rows (N, dim) and their indices (N,), and move vectors that are out of use to rows."""
        used = counts_of(indices, self.size)
        if self.averages:
            self.counts.lerp_(used.to(rows), 1 - self.decay)
            self.sums.lerp_(sums_of(rows, indices, self.size), 1 - self.decay)
            total = self.counts.sum()
            smoothed = (self.counts + SMOOTHING) / (total + self.size * SMOOTHING) * total
            self.weight.copy_(self.sums / smoothed[:, None])
        if self.revive is not None:
            self.idle.add_(1).masked_fill_(used > 0, 0)
            self.restart(self.idle >= self.revive, rows[torch.randint(len(rows), (self.size,), device=rows.device)])

    @torch.no_grad()
    def initialise(self, rows: Tensor) -> None:
        """Set the vectors to the means of k-means over rows (N, dim)."""
        every = torch.ones(self.size, dtype=torch.bool, device=rows.device)
        self.restart(every, k_means(rows, self.size))

    @torch.no_grad()
    def restart(self, chosen: Tensor, vectors: Tensor) -> None:
        """Replace the vectors that are ``chosen`` (size,) by ``vectors`` (size, dim), as if each had been used once."""
        # by .data: a graph may hold the weights, and none of its gradients is of the vectors that are replaced
        self.weight.data.copy_(torch.where(chosen[:, None], vectors, self.weight))
        self.idle.masked_fill_(chosen, 0)
        if self.averages:
            self.sums.copy_(torch.where(chosen[:, None], vectors, self.sums))
            self.counts.masked_fill_(chosen, 1.0)


def counts_of(indices: Tensor, size: int) -> Tensor:
    """Return how often each index occurs: (N,) -> (size,)."""
    return indices.new_zeros(size).scatter_add_(0, indices, torch.ones_like(indices))  # bincount would wait for the device


def sums_of(rows: Tensor, indices: Tensor, size: int) -> Tensor:
    """Return the sum of the rows at each index: (N, D), (N,) -> (size, D)."""
    return rows.new_zeros(size, rows.shape[1]).scatter_add_(0, indices[:, None].expand_as(rows), rows)


def k_means(rows: Tensor, size: int) -> Tensor:
    """Return ``size`` means of rows (N, D) by Lloyd's iterations from random rows: (size, D). Lloyd 1982.

    A mean that loses all its rows restarts at a random one. Draws come from torch's global generator.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> k_means(torch.tensor([[0.0], [0.2], [9.0], [9.2]]), 2).sort(0).values.flatten()
    tensor([0.1000, 9.1000])
    """
    rows = rows[torch.randperm(len(rows), device=rows.device)[: ROWS_A_CODE * size]]
    means = rows[torch.arange(size, device=rows.device) % len(rows)]
    for _ in range(ITERATIONS):
        nearest = torch.addmm(0.5 * means.square().sum(1), rows, means.T, alpha=-1).argmin(1)
        counts = counts_of(nearest, size)[:, None]
        others = rows[torch.randint(len(rows), (size,), device=rows.device)]
        means = torch.where(counts > 0, sums_of(rows, nearest, size) / counts.clamp(min=1), others)
    return means
