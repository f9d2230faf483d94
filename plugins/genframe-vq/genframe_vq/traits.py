"""What specs and implementations share: the trait of a quantising encoder, its result, and names of choices. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from genframe import Context

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Distance", "Gradient", "LearningRule", "Quantisation", "VectorQuantised"]

Distance: TypeAlias = Literal["euclidean", "cosine"]
Gradient: TypeAlias = Literal["straight_through", "rotation"]
LearningRule: TypeAlias = Literal["ema", "gradient"]


@dataclass(frozen=True)
class Quantisation:
    """Features as vectors of a finite set, and the terms that quantisation adds to a loss.

    ``latent``: (B, latent), the vectors, with an estimate of the features' gradient. ``indices``: int64, (B, code). The terms
    are scalars, averaged over batch and positions: ``commitment`` is the squared distance of features from their vectors, which
    are held fixed; ``codebook`` that of vectors from their features, which are held fixed, where vectors learn by gradient;
    ``entropy``, in nats, makes each code certain and all codes equally likely.
    """

    latent: Tensor
    indices: Tensor
    commitment: Tensor
    codebook: Tensor
    entropy: Tensor


@runtime_checkable
class VectorQuantised(Protocol):
    """Quantises features of data, and gives the terms that this adds to a loss."""

    def quantised(self, x: Tensor, context: Context | None = None) -> Quantisation:
        """Return data (B, ...) quantised; in training mode a codebook that learns by moving averages is updated."""
