"""The encoder of text."""

from __future__ import annotations

from torch import Tensor, nn

from genframe import Categorical, Context, DataError, Encoder

from .blocks import Block, Rotary
from .specs.transformer import TextEncoder

__all__ = ["TextTransformer"]


class TextTransformer(Encoder):
    """Blocks in which every place sees all others."""

    def __init__(self, spec: TextEncoder, data: Categorical) -> None:
        super().__init__()
        self.length, self.pool = data.shape[0], spec.pool
        self.tokens = nn.Embedding(data.size, spec.dim)
        nn.init.normal_(self.tokens.weight, std=spec.dim**-0.5)
        self.rotary = Rotary(self.length, spec.dim // spec.heads)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.dim)

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
