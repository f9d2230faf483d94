"""Transformer blocks with rotary positions, for priors and for encoders of text."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe_nets.attention import attend
from genframe_nets.initialisation import initialised

__all__ = ["Block", "Rotary", "causal_mask"]


class Rotary(nn.Module):
    """Turns pairs of a head's numbers by angles that grow with the position. Su et al. 2021, eq. 34.

    Pairs are a number of the first half of the head and its partner in the second.

    :param length: the most tokens.
    :param head: numbers of each head.

    >>> x = torch.randn(2, 5, 1, 3, 4)
    >>> Rotary(length=5, head=4)(x).norm().allclose(x.norm())
    True
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, length: int, head: int) -> None:
        super().__init__()
        frequency = 10000 ** (-torch.arange(0, head, 2) / head)
        angle = torch.outer(torch.arange(length), frequency).unsqueeze(1).unsqueeze(1)  # (L, 1, 1, head / 2)
        self.register_buffer("cosine", torch.cat((angle.cos(), angle.cos()), -1), persistent=False)
        self.register_buffer("sine", torch.cat((-angle.sin(), angle.sin()), -1), persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Return ``x`` turned, its first token at position ``start``: (B, T, ..., heads, head), two axes behind T."""
        end = start + x.shape[1]
        first, second = x.chunk(2, -1)
        return torch.addcmul(x * self.cosine[start:end], torch.cat((second, first), -1), self.sine[start:end])


class Block(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x)). Vaswani et al. 2017; norms first as Radford et al. 2019.

    :param dim: size of each token's vector.
    :param heads: attention heads, which share out the vector; dim is a multiple of twice their number.
    :param depth: how many blocks there are, whose branches together add unit variance at first.
    :param mlp_ratio: hidden units of the perceptron for each of dim.
    :param dropout: share of each branch's outputs that training sets to zero.

    >>> block, rotary = Block(dim=8, heads=2), Rotary(length=5, head=4)
    >>> block(torch.randn(3, 5, 8), rotary).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, dim: int, heads: int = 4, depth: int = 1, *, mlp_ratio: float = 4.0, dropout: float = 0.0) -> None:
        super().__init__()
        hidden = round(mlp_ratio * dim)
        self.heads, self.dropout = heads, dropout
        self.attention_norm, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = initialised(nn.Linear(dim, 3 * dim, bias=False), None)
        self.attended = initialised(nn.Linear(dim, dim, bias=False), None)
        self.up = initialised(nn.Linear(dim, hidden), None)
        self.down = initialised(nn.Linear(hidden, dim), "gelu")
        with torch.no_grad():  # all branches together add unit variance
            for layer in (self.attended, self.down):
                layer.weight.div_(math.sqrt(2 * depth))

    def forward(self, x: Tensor, rotary: Rotary, causal: bool = True, mask: Tensor | None = None) -> Tensor:
        """Return (B, T, dim) -> (B, T, dim).

        Where ``causal``, a token sees itself and those before it; with a ``mask`` (B, 1, T, T) it sees those where it is true.
        """
        qk, v = self.projected(x)
        q, k = (each.transpose(1, 2) for each in rotary(qk).unbind(2))  # (B, heads, T, head)
        attended = attend(q, k, v.squeeze(2).transpose(1, 2), mask=mask, causal=causal and mask is None)
        return self.mixed(x, attended)

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys (B, T, 2, heads, head), not turned yet, and values (B, T, 1, heads, head)."""
        qkv = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1))
        qk, v = qkv.split((2, 1), 2)
        return qk, v

    def mixed(self, x: Tensor, attended: Tensor) -> Tensor:
        """Return the block's result, from what the heads attended to: (B, T, dim), (B, heads, T, head) -> (B, T, dim)."""
        x = x + self._dropped(self.attended(attended.transpose(1, 2).flatten(2)))
        out: Tensor = x + self._dropped(self.down(F.gelu(self.up(self.norm(x)))))
        return out

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


def causal_mask(mask: Tensor, length: int) -> Tensor:
    """Return which tokens each token sees where ``mask`` (B, L) says which of the first L are there: (B, 1, length, length).

    A token sees itself and those before it, as far as they are there; one that is not there sees itself too, so that its
    attention is defined.
    """
    there = F.pad(mask, (0, length - mask.shape[1]), value=True)
    seen = there[:, None] & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
    return (seen | torch.eye(length, dtype=torch.bool, device=mask.device))[:, None]
