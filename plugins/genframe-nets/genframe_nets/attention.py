"""Multi-head attention: of tokens to each other, and to the tokens of a context. Vaswani et al. 2017, section 3.2."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from genframe.roles import full_precision

from .initialisation import initialised, zeroed

__all__ = ["CrossAttention", "SelfAttention", "attend"]

FEW: Final = 512
"""Tokens up to which a CPU attends faster in single precision: 2.4 times at 145, going forward and back, in PyTorch 2.13."""


def attend(query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """Return what each query reads of the values: (B, heads, N, head), (B, heads, L, head) twice -> (B, heads, N, head).

    Where ``causal`` it reads those up to its own place; with a ``mask`` (B, 1, 1, L) those where it is true. Under autocast it
    is in single precision where that is faster.
    """
    if query.device.type == "cpu" and key.shape[-2] <= FEW and torch.is_autocast_enabled("cpu"):
        with full_precision(query):
            return scaled_dot_product_attention(query.float(), key.float(), value.float(), mask, is_causal=causal)
    return scaled_dot_product_attention(query, key, value, mask, is_causal=causal)


class SelfAttention(nn.Module):
    """Each token reads all tokens. Without biases on queries, keys and values: the normalisation before it has one."""

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = initialised(nn.Linear(dims, 3 * dims, bias=False), None)
        self.out = initialised(nn.Linear(dims, dims), None)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, D) -> (B, N, D)."""
        query, key, value = (_split(part, self.heads) for part in self.query_key_value(x).chunk(3, -1))
        out: Tensor = self.out(_joined(attend(query, key, value)))
        return out


class CrossAttention(nn.Module):
    """Each token, normalised, reads all tokens of a context, whose order does not matter; the output is zero at first."""

    def __init__(self, dims: int, heads: int, token_dims: int) -> None:
        super().__init__()
        self.heads, self.token_dims = heads, token_dims
        self.norm = nn.LayerNorm(dims)
        self.query = initialised(nn.Linear(dims, dims, bias=False), None)
        self.key_value = initialised(nn.Linear(token_dims, 2 * dims, bias=False), None)
        self.out = zeroed(nn.Linear(dims, dims))

    def forward(self, x: Tensor, tokens: Tensor | None, mask: Tensor | None = None) -> Tensor:
        """Return (B, N, D), (B, L, token_dims) -> (B, N, D). Tokens where ``mask`` (B, L) is false are not read.

        :raises ValueError: if there are no tokens.
        """
        if tokens is None:
            raise ValueError(f"this network was built to read a context of tokens of {self.token_dims} values, found none")
        query = _split(self.query(self.norm(x)), self.heads)
        key, value = (_split(part, self.heads) for part in self.key_value(tokens).chunk(2, -1))
        out: Tensor = self.out(_joined(attend(query, key, value, mask=None if mask is None else mask[:, None, None])))
        return out


def _split(x: Tensor, heads: int) -> Tensor:
    """Return (B, N, D) -> (B, heads, N, D / heads)."""
    split: Tensor = x.unflatten(-1, (heads, -1)).transpose(1, 2)
    return split


def _joined(x: Tensor) -> Tensor:
    """Return (B, heads, N, D / heads) -> (B, N, D)."""
    return x.transpose(1, 2).flatten(2)
