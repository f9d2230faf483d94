"""Quantisers of rows (N, D): residual and product codebooks, finite scalars, signs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .codebook import Codebook
from .gradients import ESTIMATORS, straight_through
from .traits import Quantisation

if TYPE_CHECKING:
    from .specs import FiniteScalar, LookupFree, Quantizer

__all__ = ["Product", "Quantiser", "Residual", "Scalars", "Signs"]

BEAM: Final = 8
ROWS_AT_ONCE: Final = 4096
MARGIN: Final = 1e-3  # of each side, that no bounded value rounds beyond the levels


class Quantiser(nn.Module, ABC):
    """Rows as vectors of a finite set; indices are (N, codebooks)."""

    @abstractmethod
    def forward(self, rows: Tensor) -> Quantisation:
        """Return the rows quantised, with a gradient, and what that adds to a loss; a function, nothing learns here."""

    @abstractmethod
    def vectors(self, indices: Tensor) -> Tensor:
        """Return the vectors of indices: (N, codebooks) -> (N, D)."""

    @abstractmethod
    def search(self, vectors: Tensor) -> Tensor:
        """Return the indices of which the rows are the vectors: (N, D) -> (N, codebooks)."""

    def learn(self, rows: Tensor, indices: Tensor) -> None:
        """Learn from rows (N, D) and the indices that they were given; nothing by default."""

    def initialise(self, rows: Tensor) -> None:
        """Take the first state from rows (N, D); nothing by default."""


class Residual(Quantiser):
    """A sum of vectors, each of the codebook for what those before it left. Zeghidour et al. 2021, alg. 1; with one, VQ."""

    def __init__(self, spec: Quantizer, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Codebook(spec, dim) for _ in range(spec.layers))
        self.estimate = ESTIMATORS[spec.gradient]
        self.cosine, self.by_gradient = spec.distance == "cosine", spec.codebook == "gradient"

    @property
    def codebooks(self) -> list[Codebook]:
        """The codebooks, from the first."""
        return cast(list[Codebook], list(self.layers))

    def forward(self, rows: Tensor) -> Quantisation:
        """Return the rows quantised, greedily."""
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
        """Return the sums of the codebooks' vectors."""
        return torch.stack([book(index) for book, index in zip(self.codebooks, indices.unbind(1), strict=True)]).sum(0)

    def search(self, vectors: Tensor) -> Tensor:
        """Return the codes whose vectors add up to the rows: by distance with one codebook, else by beam search.

        A greedy search would often go wrong: a sum may lie nearer to another vector than to its first. The beam of 8 misses
        some too, the more the layers (of four, a few in a thousand); what data were given, :meth:`forward` tells.
        """
        if len(self.codebooks) == 1:
            return self.codebooks[0].nearest(vectors)[:, None]
        return torch.cat([self._beam(rows) for rows in vectors.split(ROWS_AT_ONCE)])

    @torch.no_grad()
    def _beam(self, rows: Tensor) -> Tensor:
        """Keep the best few codes so far, codebook after codebook: (N, D) -> (N, codebooks)."""
        rest, codes = rows[:, None], rows.new_zeros(len(rows), 1, 0, dtype=torch.int64)  # (N, beam, D), (N, beam, found)
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


class Product(Quantiser):
    """Groups of consecutive dimensions, each quantised by itself. Jégou et al. 2011, sec. II.B."""

    def __init__(self, spec: Quantizer) -> None:
        super().__init__()
        self.parts = nn.ModuleList(Residual(spec, spec.dim // spec.groups) for _ in range(spec.groups))
        self.layers = spec.layers

    @property
    def groups(self) -> list[Residual]:
        """The quantiser of each group."""
        return cast(list[Residual], list(self.parts))

    def forward(self, rows: Tensor) -> Quantisation:
        """Return the groups' vectors side by side; their terms add up."""
        parts = [group(part) for group, part in zip(self.groups, rows.chunk(len(self.groups), 1), strict=True)]
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
        """Let each group learn."""
        for part, (group, index) in zip(rows.chunk(len(self.groups), 1), self._with_indices(indices), strict=True):
            group.learn(part, index)

    def initialise(self, rows: Tensor) -> None:
        """Let each group start from its dimensions."""
        for group, part in zip(self.groups, rows.chunk(len(self.groups), 1), strict=True):
            group.initialise(part)

    def _with_indices(self, indices: Tensor) -> list[tuple[Residual, Tensor]]:
        return list(zip(self.groups, indices.split(self.layers, 1), strict=True))


class Scalars(Quantiser):
    """Each channel rounded to one of its levels, between -1 and 1. Mentzer et al. 2023, sec. 3.1 and app. A.1."""

    places: Tensor
    levels: Tensor
    reach: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(self, spec: FiniteScalar) -> None:
        super().__init__()
        even = [levels % 2 == 0 for levels in spec.channel_levels]
        reach = [(levels - 1) * (1 - MARGIN) / 2 for levels in spec.channel_levels]
        offset = [0.5 if each else 0.0 for each in even]
        shift = [math.tan(half / most) for half, most in zip(offset, reach, strict=True)]
        places = [math.prod(spec.channel_levels[:channel]) for channel in range(len(spec.channel_levels))]
        for name, values in {"reach": reach, "offset": offset, "shift": shift}.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)
        for name, numbers in {"levels": list(spec.channel_levels), "places": places}.items():
            self.register_buffer(name, torch.tensor(numbers), persistent=False)

    def bound(self, rows: Tensor) -> Tensor:
        """Return rows squashed to where rounding gives as many whole numbers as there are levels: (N, D) -> (N, D)."""
        return torch.tanh(rows + self.shift) * self.reach - self.offset

    def forward(self, rows: Tensor) -> Quantisation:
        """Return the levels as vectors, with the gradient of the bounded rows."""
        bounded = self.bound(rows)
        rounded = bounded.round()
        vectors = straight_through(bounded, rounded) / (self.levels // 2)
        nothing = rows.new_zeros(())
        return Quantisation(vectors, self._indices(rounded), nothing, nothing, nothing)

    def _indices(self, rounded: Tensor) -> Tensor:
        """Return the place of whole numbers around 0 in the list of all codes: (N, D) -> (N, 1)."""
        return ((rounded.long() + self.levels // 2) * self.places).sum(1, keepdim=True)

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the levels of each channel, between -1 and 1."""
        half = self.levels // 2
        return (indices // self.places % self.levels - half) / half

    def search(self, vectors: Tensor) -> Tensor:
        """Return the indices of levels; those beyond the last are taken for the last."""
        half = self.levels // 2
        whole = (vectors * half).round()
        return self._indices(torch.minimum(torch.maximum(whole, -half), self.levels - 1 - half))


class Signs(Quantiser):
    """Each channel's sign, a bit of the index. Yu et al. 2023, sec. 3.1."""

    places: Tensor

    def __init__(self, spec: LookupFree) -> None:
        super().__init__()
        self.temperature = spec.temperature
        self.register_buffer("places", 2 ** torch.arange(spec.bits), persistent=False)

    def forward(self, rows: Tensor) -> Quantisation:
        """Return the signs, with the gradient of the rows."""
        signs = torch.where(rows > 0, 1.0, -1.0)
        nothing = rows.new_zeros(())
        latent, commitment = straight_through(rows, signs), squared_distance(rows, signs)
        return Quantisation(latent, self.search(rows), commitment, nothing, self.entropy(rows))

    def entropy(self, rows: Tensor) -> Tensor:
        """Return the mean entropy of a row's code less that of the mean distribution over codes, in nats: (N, D) -> ().

        A row's distribution is a softmax of minus the squared distances over the temperature, so that its bits are
        independent. The mean over rows is exact: one product of the distributions of the two halves of the bits.
        """
        logits = 4 * rows / self.temperature
        ones = torch.sigmoid(logits)
        own = (F.softplus(logits) - ones * logits).sum(1).mean()
        first, second = (joint(half) for half in ones.tensor_split(2, 1))
        mean = first.T @ second / len(rows)
        return own + torch.xlogy(mean, mean).sum()

    def vectors(self, indices: Tensor) -> Tensor:
        """Return the signs."""
        return 2.0 * (indices // self.places % 2) - 1

    def search(self, vectors: Tensor) -> Tensor:
        """Return the index whose bits are the positive channels."""
        return ((vectors > 0) * self.places).sum(1, keepdim=True)


def joint(ones: Tensor) -> Tensor:
    """Return the distribution over all values of independent bits, from each one's probability: (N, D) -> (N, 2^D)."""
    together = ones.new_ones(len(ones), 1)
    for one in ones.unbind(1):
        together = torch.cat((together * (1 - one[:, None]), together * one[:, None]), 1)
    return together


def squared_distance(rows: Tensor, others: Tensor) -> Tensor:
    """Return the mean over rows of the squared distance from the others: (N, D), (N, D) -> ()."""
    return (rows - others).square().sum(1).mean()


def take(tensor: Tensor, parent: Tensor) -> Tensor:
    """Return those rows of the middle axis that ``parent`` names: (N, M, K), (N, beam) -> (N, beam, K)."""
    return tensor.gather(1, parent[..., None].expand(*parent.shape, tensor.shape[2]))
