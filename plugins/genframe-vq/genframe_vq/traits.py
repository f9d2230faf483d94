"""What a quantising encoder can do beyond encoding: tell how it came to the code. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from genframe import Context

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Quantisation", "VectorQuantised"]


@dataclass(frozen=True)
class Quantisation:
    """Data as vectors of a codebook, and what their quantisation adds to a loss, averaged over batch and positions.

    ``latent``: (B, latent), with the encoder's estimate of the gradient. ``indices``: int64, (B, code). The terms are
    scalars: ``commitment`` the squared distance of features from their vectors, held fixed; ``codebook`` that of vectors from
    their features, held fixed, where vectors learn by gradient; ``entropy`` what ties codes to features and spreads them, in
    nats.
    """

    latent: Tensor
    indices: Tensor
    commitment: Tensor
    codebook: Tensor
    entropy: Tensor


@runtime_checkable
class VectorQuantised(Protocol):
    """Quantises features of data, and tells by how much they were off."""

    def quantised(self, x: Tensor, context: Context | None = None) -> Quantisation:
        """Data (B, ...) quantised; in training mode a codebook that learns by averages moves."""
