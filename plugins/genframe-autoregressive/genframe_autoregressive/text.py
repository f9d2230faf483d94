"""The encoder of text."""

from __future__ import annotations

from torch import Tensor, nn

from genframe import Categorical, Context, DataError, Encoder

from .blocks import Block, Rotary

__all__ = ["TextTransformer"]


class TextTransformer(Encoder):
    """Blocks in which every place of a text sees all others. Devlin et al. 2018, section 3; Su et al. 2021.

    :param data: a space of sequences of classes, such as the bytes of a caption.
    :param dim: size of each place's vector, a multiple of twice the number of heads.
    :param depth: the number of blocks.
    :param pool: give the mean of all vectors in place of the sequence.

    >>> import torch
    >>> encoder = TextTransformer(Categorical((12,), 256), dim=8, depth=1, heads=2)
    >>> encoder.context(torch.zeros(2, 12, dtype=torch.long)).sequence.shape
    torch.Size([2, 12, 8])
    """

    def __init__(
        self,
        data: Categorical,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        *,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        pool: bool = False,
    ) -> None:
        super().__init__()
        (self.length,), self.pool = data.shape, pool
        self.tokens = nn.Embedding(data.size, dim)
        nn.init.normal_(self.tokens.weight, std=dim**-0.5)
        self.rotary = Rotary(self.length, dim // heads)
        self.blocks = nn.ModuleList(Block(dim, heads, depth, mlp_ratio=mlp_ratio, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return a vector for each place, (B, L) -> (B, L, dim), or their mean, (B, dim).

        :raises DataError: if the text is longer or shorter than the places that the model was built for.
        """
        if x.shape[-1] != self.length:
            raise DataError(f"expected texts of {self.length} places, found {x.shape[-1]}; cut or fill them up to that length")
        h = self.tokens(x)
        for block in self.blocks:
            h = block(h, self.rotary, causal=False)
        vectors: Tensor = self.norm(h)
        return vectors.mean(1) if self.pool else vectors
