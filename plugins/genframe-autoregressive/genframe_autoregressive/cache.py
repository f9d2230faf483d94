"""A causal transformer that reads token after token and keeps keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe_nets.attention import attend

from .blocks import Block, Rotary, causal_mask

__all__ = ["Cache"]


@dataclass(frozen=True)
class Kept:
    """A block, its first weight as a single token needs it, and its keys and values (n, heads, length, head).

    Numbers that turn together lie beside each other in queries and keys, so that a turn is one complex product; ``turned`` is
    the view (n, heads, length, head / 2) of the keys. The order of a head's numbers does not change attention.
    """

    block: Block
    qkv: Tensor
    keys: Tensor
    values: Tensor
    turned: Tensor


class Cache:
    """The blocks of a causal transformer over ``n`` sequences of up to ``length`` tokens, in evaluation mode.

    >>> blocks, rotary = [Block(dim=8, heads=2)], Rotary(length=5, head=4)
    >>> cache = Cache(blocks, rotary, n=3, length=5)
    >>> with torch.no_grad():
    ...     cache.next(torch.randn(3, 8), nn.LayerNorm(8)).shape, cache.filled
    (torch.Size([3, 8]), 1)
    """

    def __init__(self, blocks: Sequence[Block], rotary: Rotary, n: int, length: int) -> None:
        self.rotary, self.filled = rotary, 0
        self.length = length
        self.there: Tensor | None = None  # (n, 1, 1, length), true where a token is there
        half = rotary.cosine.shape[-1] // 2
        dtype = torch.promote_types(rotary.cosine.dtype, torch.float32)
        cosine, sine = (table[:, 0, 0, half:].to(dtype) for table in (rotary.cosine, rotary.sine))  # (L, half)
        self.phases = torch.complex(cosine, sine).unbind()
        self.kept = [_kept(block, n, length, dtype) for block in blocks]

    def read(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Take the first tokens (n, T, dim) together, of which ``mask`` (n, T) says which are there."""
        seen = None
        if mask is not None:
            seen = causal_mask(mask, x.shape[1])
            self.there = F.pad(mask, (0, self.length - x.shape[1]), value=True)[:, None, None]
        for kept in self.kept:
            qk, v = kept.block.projected(x)
            q, k = (each.transpose(1, 2) for each in self.rotary(qk).unbind(2))  # (n, heads, T, head)
            v = v.squeeze(2).transpose(1, 2)
            kept.keys[:, :, : x.shape[1]] = _paired(k)
            kept.values[:, :, : x.shape[1]] = v
            x = kept.block.mixed(x, attend(q, k, v, mask=seen, causal=seen is None))
        self.filled = x.shape[1]

    def next(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        """Take the next token of each sequence and return what the last block makes of it, normalised: (n, dim)."""
        at, self.filled = self.filled, self.filled + 1
        phase, there = self.phases[at], self.there[..., : at + 1] if self.there is not None else None
        for kept in self.kept:
            block, (n, heads, _, head) = kept.block, kept.keys.shape
            qkv = F.linear(_normalised(x, block.attention_norm), kept.qkv).to(kept.keys.dtype).view(n, 3, heads, head)
            qk = torch.view_as_complex(qkv[:, :2].unflatten(-1, (-1, 2))) * phase  # (n, 2, heads, head / 2)
            kept.turned[:, :, at] = qk[:, 1]
            kept.values[:, :, at] = qkv[:, 2]
            query = torch.view_as_real(qk[:, 0]).view(n, heads, 1, head)
            seen = F.scaled_dot_product_attention(query, kept.keys[:, :, : at + 1], kept.values[:, :, : at + 1], there)
            x = x + F.linear(seen.view(n, heads * head).to(x.dtype), block.attended.weight)
            hidden = F.gelu(F.linear(_normalised(x, block.norm), block.up.weight, block.up.bias))
            x = x + F.linear(hidden, block.down.weight, block.down.bias)
        return _normalised(x, norm)


def _kept(block: Block, n: int, length: int, dtype: torch.dtype) -> Kept:
    weight, heads = block.qkv.weight, block.heads
    keys, values = torch.empty(2, n, heads, length, weight.shape[1] // heads, dtype=dtype, device=weight.device).unbind()
    qk, v = weight.unflatten(0, (3, heads, -1)).split((2, 1))  # (3, heads, head, dim) in all
    qkv = torch.cat((_paired(qk.mT).mT, v)).flatten(0, 2)
    turned = torch.view_as_complex(keys.unflatten(-1, (-1, 2)))
    return Kept(block, qkv, keys, values, turned)


def _paired(x: Tensor) -> Tensor:
    """Put the numbers of the first and the second half of the last axis, which turn together, beside each other."""
    paired: Tensor = x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)
    return paired


def _normalised(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    out: Tensor = F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps)
    return out
