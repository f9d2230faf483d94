"""Quantisers with learned codebooks: residual ones, and products of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe.roles import full_precision

from .codebook import MOVING_AVERAGES, Codebook, Learning
from .gradients import ESTIMATORS
from .grids import grid_of, rows_of
from .traits import Distance, Gradient, Quantisation

__all__ = ["Quantiser", "Residual", "VectorQuantiser"]

BEAM: Final = 8
ROWS_AT_ONCE: Final = 4096


class Quantiser(nn.Module, ABC):
    """Features as vectors of a finite set.

    ``dim`` is the size of a vector, ``size`` the number of values of an index, and ``columns`` how many indices a position has.
    """

    def __init__(self, dim: int, size: int, columns: int = 1) -> None:
        super().__init__()
        self.dim, self.size, self.columns = dim, size, columns

    def forward(self, features: Tensor) -> Quantisation:
        """Quantise features (B, dim, grid), or (B, dim): the latent is of their shape, the indices are (B, columns, grid).

        Nothing is learned here. Distances are computed in single precision, under autocast as well.
        """
        with full_precision(features):
            found = self.quantise(rows_of(features))
        shape = (len(features), *features.shape[2:])
        return replace(found, latent=grid_of(found.latent, shape), indices=grid_of(found.indices, shape))

    @abstractmethod
    def quantise(self, rows: Tensor) -> Quantisation:
        """Quantise rows (N, dim): the latent is (N, dim), the indices are (N, columns)."""

    @abstractmethod
    def vectors(self, indices: Tensor) -> Tensor:
        """Return the vectors of indices: (N, columns) -> (N, dim)."""

    @abstractmethod
    def search(self, vectors: Tensor) -> Tensor:
        """Return the indices whose vectors are given: (N, dim) -> (N, columns)."""

    def learn(self, rows: Tensor, indices: Tensor) -> None:
        """Learn from rows (N, dim) and their indices (N, columns), without gradients; nothing by default."""

    def initialise(self, rows: Tensor) -> None:
        """Take the first state from rows (N, dim); nothing by default."""


class Residual(Quantiser):
    """A sum of vectors, each from the codebook for what those before it left. Zeghidour et al. 2021, alg. 1.

    With one layer this is plain vector quantisation.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> found = Residual(size=16, dim=4, layers=3)(torch.randn(10, 4))
    >>> found.latent.shape, found.indices.shape
    (torch.Size([10, 4]), torch.Size([10, 3]))
    """

    def __init__(
        self,
        size: int = 512,
        dim: int = 64,
        *,
        layers: int = 1,
        distance: Distance = "euclidean",
        gradient: Gradient = "straight_through",
        learning: Learning = MOVING_AVERAGES,
    ) -> None:
        super().__init__(dim, size, layers)
        self.estimate = ESTIMATORS[gradient]
        self.cosine, self.by_gradient = distance == "cosine", learning.rule == "gradient"
        self.codebooks = [Codebook(size, dim, cosine=self.cosine, learning=learning) for _ in range(layers)]
        self.layers = nn.ModuleList(self.codebooks)

    def quantise(self, rows: Tensor) -> Quantisation:
        """Quantise the rows greedily: layer after layer."""
        if self.cosine:
            rows = F.normalize(rows, dim=1)
        indices, commitment, codebook = [], rows.new_zeros(()), rows.new_zeros(())
        found, rest = torch.zeros_like(rows), rows
        for book in self.codebooks:
            indices.append(book.nearest(rest))
            vectors = book(indices[-1])
            commitment = commitment + squared_distance(rest, vectors.detach())
            if self.by_gradient:
                codebook = codebook + squared_distance(vectors, rest.detach())
            found, rest = found + vectors.detach(), rest - vectors.detach()
        return Quantisation(self.estimate(rows, found), torch.stack(indices, 1), commitment, codebook, rows.new_zeros(()))

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the sums of the codebooks' vectors: (N, layers) -> (N, dim)."""
        return torch.stack([book(index) for book, index in zip(self.codebooks, indices.unbind(1), strict=True)]).sum(0)

    def search(self, vectors: Tensor) -> Tensor:
        """Return the indices whose vectors add up to the rows: the nearest with one codebook, else by beam search.

        A greedy search would often be wrong: a sum may be nearer to another vector than to its first. The beam of 8 misses
        a few in a thousand with four layers. The indices of data are exact: :meth:`forward` gives them.
        """
        if len(self.codebooks) == 1:
            return self.codebooks[0].nearest(vectors)[:, None]
        return torch.cat([self._beam(rows) for rows in vectors.split(ROWS_AT_ONCE)])

    @torch.no_grad()
    def _beam(self, rows: Tensor) -> Tensor:
        """Keep the best few codes so far, codebook after codebook: (N, dim) -> (N, layers)."""
        rest, codes = rows[:, None], rows.new_zeros(len(rows), 1, 0, dtype=torch.int64)  # (N, beam, dim), (N, beam, found)
        for book in self.codebooks:
            beam = rest.shape[1]
            left = book.distances(rest.flatten(0, 1)).unflatten(0, (-1, beam)) + 0.5 * rest.square().sum(2, keepdim=True)
            best = left.flatten(1).topk(min(BEAM, beam * book.size), largest=False).indices  # (N, beam)
            parent, code = best // book.size, best % book.size
            rest = take(rest, parent) - book(code)
            codes = torch.cat((take(codes, parent), code[..., None]), 2)
        return codes[:, 0]

    def learn(self, rows: Tensor, indices: Tensor) -> None:
        """Let each codebook learn from what those before it left."""
        rest = F.normalize(rows, dim=1) if self.cosine else rows
        for book, index in zip(self.codebooks, indices.unbind(1), strict=True):
            vectors = book(index).detach()
            book.learn(rest, index)
            rest = rest - vectors

    def initialise(self, rows: Tensor) -> None:
        """Let each codebook start from what those before it leave."""
        rest = F.normalize(rows, dim=1) if self.cosine else rows
        for book in self.codebooks:
            book.initialise(rest)
            rest = rest - book(book.nearest(rest))


class VectorQuantiser(Quantiser):
    """Features as the nearest vectors of learned codebooks. van den Oord et al. 2017; Jégou et al. 2011, sec. II.B.

    The dimensions fall into ``groups``, each quantised by itself, with ``layers`` codebooks one after another.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> found = VectorQuantiser(size=512, dim=64)(torch.randn(2, 64, 7, 7))
    >>> found.latent.shape, found.indices.shape
    (torch.Size([2, 64, 7, 7]), torch.Size([2, 1, 7, 7]))
    """

    def __init__(
        self,
        size: int = 512,
        dim: int = 64,
        *,
        layers: int = 1,
        groups: int = 1,
        distance: Distance = "euclidean",
        gradient: Gradient = "straight_through",
        learning: Learning = MOVING_AVERAGES,
    ) -> None:
        super().__init__(dim, size, layers * groups)
        self.layers = layers
        self.groups = [
            Residual(size, dim // groups, layers=layers, distance=distance, gradient=gradient, learning=learning)
            for _ in range(groups)
        ]
        self.parts = nn.ModuleList(self.groups)

    def quantise(self, rows: Tensor) -> Quantisation:
        """Return the groups' vectors and indices side by side; their terms add up."""
        parts = [group.quantise(part) for group, part in zip(self.groups, rows.chunk(len(self.groups), 1), strict=True)]
        return Quantisation(
            torch.cat([part.latent for part in parts], 1),
            torch.cat([part.indices for part in parts], 1),
            torch.stack([part.commitment for part in parts]).sum(),
            torch.stack([part.codebook for part in parts]).sum(),
            rows.new_zeros(()),
        )

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the groups' vectors side by side."""
        return torch.cat([group.vectors(part) for group, part in self._with_indices(indices)], 1)

    def search(self, vectors: Tensor) -> Tensor:
        """Return the groups' indices side by side."""
        parts = zip(self.groups, vectors.chunk(len(self.groups), 1), strict=True)
        return torch.cat([group.search(part) for group, part in parts], 1)

    def learn(self, rows: Tensor, indices: Tensor) -> None:
        """Let each group learn from its dimensions."""
        for part, (group, index) in zip(rows.chunk(len(self.groups), 1), self._with_indices(indices), strict=True):
            group.learn(part, index)

    def initialise(self, rows: Tensor) -> None:
        """Let each group start from its dimensions."""
        for group, part in zip(self.groups, rows.chunk(len(self.groups), 1), strict=True):
            group.initialise(part)

    def _with_indices(self, indices: Tensor) -> list[tuple[Residual, Tensor]]:
        return list(zip(self.groups, indices.split(self.layers, 1), strict=True))


def squared_distance(rows: Tensor, others: Tensor) -> Tensor:
    """Return the mean over rows of the squared distance from the others: (N, D), (N, D) -> ()."""
    return (rows - others).square().sum(1).mean()


def take(tensor: Tensor, parent: Tensor) -> Tensor:
    """Return those rows of the middle axis that ``parent`` names: (N, M, K), (N, beam) -> (N, beam, K)."""
    return tensor.gather(1, parent[..., None].expand(*parent.shape, tensor.shape[2]))
