"""The transformer prior and its key-value cache."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, ContextSpace, Space, vector_dims
from genframe_nets.initialisation import initialised, zeroed

from .blocks import Block, Rotary, causal_mask
from .cache import Cache
from .sequence import AutoregressivePrior, Step

__all__ = ["TransformerPrior"]


class TransformerPrior(AutoregressivePrior):
    """A causal transformer. Tokens are a learned start and all values but the last; each gives the logits of the next value.

    Vaswani et al. 2017, with norms first and rotary positions (Su et al. 2021). The sequence of a context is put in front of
    the tokens, so that all attend to it; its vector is added to every token.

    :param code: a space of discrete values, of any shape.
    :param dim: size of each token's vector, a multiple of twice the number of heads.
    :param depth: the number of blocks.
    :param heads: attention heads, which share out the vector.
    :param mlp_ratio: hidden units of a block's perceptron for each of dim.
    :param dropout: share of each branch's outputs that training sets to zero.
    :param context: the space of the context: a vector, a sequence, or both.

    >>> from genframe import Categorical, Context, ContextSpace, Real
    >>> prior = TransformerPrior(Categorical((6,), 4), dim=16, depth=2, heads=2)
    >>> prior.log_prob(prior.sample(3)).shape
    torch.Size([3])

    With a context of tokens and a vector:

    >>> prior = TransformerPrior(Categorical((6,), 4), dim=16, depth=2, context=ContextSpace(Real((3,)), Real((5, 8))))
    >>> prior.sample(2, Context(torch.randn(2, 3), torch.randn(2, 5, 8))).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        code: Space,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        *,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        context: ContextSpace | None = None,
    ) -> None:
        super().__init__(code)
        sequence = context.sequence if context is not None else None
        self.prefix = sequence.shape[0] if sequence is not None else 0
        channels, self.length = self.alphabet.channels, self.prefix + self.alphabet.length
        self.start = nn.Parameter(torch.randn(1, 1, dim) * dim**-0.5)
        self.tokens = nn.Embedding(self.alphabet.size, dim)
        self.channel = nn.Embedding(channels, dim) if channels > 1 else None
        for table in (self.tokens, self.channel) if self.channel is not None else (self.tokens,):
            nn.init.normal_(table.weight, std=dim**-0.5)
        # the names in the state of a context of one kind: `context` reads it, whether it is a sequence or a vector
        of_vector = initialised(nn.Linear(vector_dims(context), dim), None) if vector_dims(context) else None
        of_sequence = initialised(nn.Linear(sequence.shape[1], dim), None) if sequence is not None else None
        self.context = of_vector if of_sequence is None else of_sequence
        self.vector = of_vector if of_sequence is not None else None
        self.rotary = Rotary(self.length, dim // heads)
        self.blocks = nn.ModuleList(Block(dim, heads, depth, mlp_ratio=mlp_ratio, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = zeroed(nn.Linear(dim, self.alphabet.size))

    def logits(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the logits of each value given those before it: (B, D) -> (B, D, values).

        :raises ValueError: if the context is not of the shape that the prior was built for.
        """
        x = torch.cat((self.start.expand(len(indices), 1, -1), self.tokens(indices[:, :-1])), 1)
        if self.channel is not None:
            x = x + self.channel(torch.arange(x.shape[1], device=x.device) % self.alphabet.channels)
        front, shift = self._front(context, len(indices)), self._shift(context, len(indices))
        if shift is not None:
            x = x + shift.unsqueeze(1)
        if front is not None:
            x = torch.cat((front, x), 1)  # (B, L + D, dim)
        mask = context.mask if front is not None and context is not None else None
        seen = causal_mask(mask, self.length) if mask is not None else None
        for block in self.blocks:
            x = block(x, self.rotary, mask=seen)
        logits: Tensor = self.head(self.norm(x[:, self.prefix :]))
        return logits

    def _front(self, context: Context | None, n: int) -> Tensor | None:
        """Return the tokens of the context's sequence, which go in front: (n, L, dim)."""
        if not self.prefix or self.context is None:
            return None
        sequence = context.sequence if context is not None else None
        encoded: Tensor = self.context(_checked(sequence, (n, self.prefix, self.context.in_features)))
        return encoded

    def _shift(self, context: Context | None, n: int) -> Tensor | None:
        """Return what the context's vector adds to every token: (n, dim)."""
        layer = self.vector if self.prefix else self.context
        if layer is None:
            return None
        encoded: Tensor = layer(_checked(context.vector if context is not None else None, (n, layer.in_features)))
        return encoded

    @property
    def numbers_kept(self) -> int:
        """Keys and values of all blocks and places."""
        return 2 * len(self.blocks) * self.length * self.start.shape[-1]

    def step(self, n: int, context: Context | None = None) -> Step:
        """Return a function that gives logits one after another, from keys and values that are computed once.

        It is that of the network in evaluation mode: nothing is dropped.
        """
        front = self._front(context, n)
        cache = Cache(cast("list[Block]", list(self.blocks)), self.rotary, n, self.length)
        start = self.start[:, 0].expand(n, -1)
        shifts = self._shifts(self._shift(context, n))
        channels = self.alphabet.channels
        if front is not None:
            cache.read(front, context.mask if context is not None else None)
        token = 0

        def step(previous: Tensor | None) -> Tensor:
            nonlocal token
            x = start if previous is None else F.embedding(previous, self.tokens.weight)
            if shifts is not None:
                x = x + shifts[token % channels]
            token += 1
            return F.linear(cache.next(x, self.norm), self.head.weight, self.head.bias)

        return step

    def _shifts(self, shift: Tensor | None) -> list[Tensor] | None:
        """Return what is added to the tokens of each channel: (dim,), or (n, dim) where a context is added too."""
        if self.channel is None:
            return None if shift is None else [shift]
        of_channels = self.channel.weight.unbind()
        return [*of_channels] if shift is None else [shift + each for each in of_channels]


def _checked(given: Tensor | None, expected: tuple[int, ...]) -> Tensor:
    """Return a tensor of a context.

    :raises ValueError: if there is none, or its shape is not the expected one.
    """
    if given is None or given.shape != expected:
        found = "none" if given is None else str(tuple(given.shape))
        raise ValueError(f"this transformer was built for a context of shape {expected}, found {found}")
    return given
