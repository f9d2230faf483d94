"""A learned vector for each class."""

from __future__ import annotations

from torch import Tensor, nn

from genframe import Categorical, EncoderNetwork

from .specs.embedding import Embedding

__all__ = ["EmbeddingTable"]


class EmbeddingTable(EncoderNetwork):
    """Classes looked up in a table of vectors, which start as N(0, I)."""

    def __init__(self, spec: Embedding, data: Categorical) -> None:
        super().__init__()
        self.table = nn.Embedding(data.size, spec.dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the vectors of int64 classes: (B, ...) -> (B, ..., dim)."""
        vectors: Tensor = self.table(x)
        return vectors
