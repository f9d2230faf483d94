"""A learned vector for each class."""

from __future__ import annotations

from torch import Tensor, nn

from genframe import Categorical, EncoderNetwork

__all__ = ["EmbeddingTable"]


class EmbeddingTable(EncoderNetwork):
    """Classes looked up in a table of vectors, which start as N(0, I). Bengio et al. 2003, section 2.

    :param data: the space of the classes; only their number is read.
    :param dim: size of each class's vector.

    >>> _ = torch.manual_seed(0)
    >>> EmbeddingTable(Categorical((), 10), dim=4)(torch.tensor([0, 9, 9])).shape
    torch.Size([3, 4])
    """

    def __init__(self, data: Categorical, dim: int = 64) -> None:
        super().__init__()
        self.table = nn.Embedding(data.size, dim)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the vectors of int64 classes: (B, ...) -> (B, ..., dim)."""
        vectors: Tensor = self.table(x)
        return vectors
