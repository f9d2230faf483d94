"""The transformer prior and its key-value cache."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, ContextSpace, Space, vector_dims
from genframe_nets.initialisation import initialised, zeroed

from .blocks import Block, Rotary
from .cache import Cache
from .sequence import AutoregressivePrior, Step
from .specs.transformer import Transformer

__all__ = ["TransformerPrior"]


class TransformerPrior(AutoregressivePrior):
    """Tokens are a learned start and all values but the last; each gives the logits of the next value."""

    def __init__(self, spec: Transformer, code: Space, context: ContextSpace | None) -> None:
        super().__init__(code)
        sequence = context.sequence if context is not None else None
        self.prefix = sequence.shape[0] if sequence is not None else 0
        channels, self.length = self.alphabet.channels, self.prefix + self.alphabet.length
        self.start = nn.Parameter(torch.randn(1, 1, spec.dim) * spec.dim**-0.5)
        self.tokens = nn.Embedding(self.alphabet.size, spec.dim)
        self.channel = nn.Embedding(channels, spec.dim) if channels > 1 else None
        for table in (self.tokens, self.channel) if self.channel is not None else (self.tokens,):
            nn.init.normal_(table.weight, std=spec.dim**-0.5)
        features = sequence.shape[-1] if sequence is not None else vector_dims(context)
        self.context = initialised(nn.Linear(features, spec.dim), None) if context is not None else None
        self.rotary = Rotary(self.length, spec.dim // spec.heads)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.dim)
        self.head = zeroed(nn.Linear(spec.dim, self.alphabet.size))

    def logits(self, indices: Tensor, context: Context | None = None) -> Tensor:
        """Return the logits of each value given those before it: (B, D) -> (B, D, values)."""
        x = torch.cat((self.start.expand(len(indices), 1, -1), self.tokens(indices[:, :-1])), 1)
        if self.channel is not None:
            x = x + self.channel(torch.arange(x.shape[1], device=x.device) % self.alphabet.channels)
        front, shift = self._encoded(context, len(indices))
        if shift is not None:
            x = x + shift
        if front is not None:
            x = torch.cat((front, x), 1)
        for block in self.blocks:
            x = block(x, self.rotary)
        logits: Tensor = self.head(self.norm(x[:, self.prefix :]))
        return logits

    def _encoded(self, context: Context | None, n: int) -> tuple[Tensor | None, Tensor | None]:
        """Return the tokens of the context, (n, L, dim), or what it adds to each token, (n, 1, dim).

        :raises ValueError: if the context is not of the shape that the prior was built for.
        """
        if self.context is None:
            return None, None
        expected = (n, self.prefix, self.context.in_features) if self.prefix else (n, self.context.in_features)
        given = None if context is None else context.sequence if self.prefix else context.vector
        if given is None or given.shape != expected:
            found = "none" if given is None else str(tuple(given.shape))
            raise ValueError(f"this transformer was built for a context of shape {expected}, found {found}")
        encoded = self.context(given)
        return (encoded, None) if self.prefix else (None, encoded.unsqueeze(1))

    @property
    def numbers_kept(self) -> int:
        """Keys and values of all blocks and places."""
        return 2 * len(self.blocks) * self.length * self.start.shape[-1]

    def step(self, n: int, context: Context | None = None) -> Step:
        """Return a function that gives logits one after another, from keys and values that are computed once.

        It is that of the network in evaluation mode: nothing is dropped.
        """
        front, shift = self._encoded(context, n)
        cache = Cache(cast("list[Block]", list(self.blocks)), self.rotary, n, self.length)
        start = self.start[:, 0].expand(n, -1)
        shifts = self._shifts(None if shift is None else shift[:, 0])
        channels = self.alphabet.channels
        if front is not None:
            cache.read(front)
        token = 0

        def step(previous: Tensor | None) -> Tensor:
            nonlocal token
            x = start if previous is None else F.embedding(previous, self.tokens.weight)
            if shifts is not None:
                x = x + shifts[token % channels]
            token += 1
            return F.linear(cache.next(x, self.norm), self.head.weight, self.head.bias)

        return step

    def _shifts(self, context: Tensor | None) -> list[Tensor] | None:
        """Return what is added to the tokens of each channel: of (dim,), or (n, dim) where a context is."""
        if self.channel is None:
            return None if context is None else [context]
        of_channels = self.channel.weight.unbind()
        return [*of_channels] if context is None else [context + each for each in of_channels]
