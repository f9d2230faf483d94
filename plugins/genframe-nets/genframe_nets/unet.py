"""The U-Net that reads a time, as decoder."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from genframe import ContextSpace, DecoderNetwork, Real, into_space

from .activations import activation
from .attention import CrossAttention, SelfAttention
from .film import FiLM
from .grids import grids
from .initialisation import zeroed
from .inputs import checked
from .layers import convolution, group_norm
from .specs.timed import context_sizes
from .specs.unet import UNet
from .time_embedding import TimeEmbedding

__all__ = ["UNetDecoder"]


class UNetDecoder(DecoderNetwork):
    """Blocks down to the smallest grid, two in the middle, and up again, where each reads what one on the way down made."""

    def __init__(self, spec: UNet, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.latent, self.data = latent, data
        sizes, dims = context_sizes(context), 4 * spec.channels[0]
        levels, deepest = list(enumerate(spec.channels)), len(spec.channels) - 1
        grid, axes = grids(data, deepest), len(data.shape) - 1
        block = partial(_Block, spec, axes, dims, sizes.tokens)
        self.embedding = TimeEmbedding(dims, spec.activation, sizes.vector)
        channels = spec.channels[0]
        skips = [channels]
        self.entrance = convolution(axes, latent.shape[0], channels, None)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, outputs in levels:
            if level:
                self.down.append(_Down(axes, channels))
                skips.append(channels)
            for _ in range(spec.blocks):
                self.down.append(block(level, channels, outputs))
                channels = outputs
                skips.append(channels)
        self.middle = nn.ModuleList([block(deepest, channels, channels), block(None, channels, channels)])
        for level, outputs in reversed(levels):
            for _ in range(spec.blocks + 1):
                self.up.append(block(level, channels + skips.pop(), outputs))
                channels = outputs
            if level:
                self.up.append(_Up(channels, grid[level - 1]))
        last = zeroed(convolution(axes, channels, data.shape[0], spec.activation))
        self.exit = nn.Sequential(group_norm(channels), activation(spec.activation, inplace=True), last)

    def forward(
        self,
        latent: Tensor,
        context: Tensor | None = None,
        *,
        sequence: Tensor | None = None,
        mask: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Tensor:
        """Return the output at ``time``, which is 0 unless given: (B, C, ...), (B,) -> (B, C', ...).

        ``context``: (B, D). ``sequence``: (B, L, D), of which ``mask`` (B, L) says by true which tokens are there.
        """
        embedding = self.embedding(latent.new_zeros(len(latent)) if time is None else time, context)
        x = self.entrance(checked(latent, self.latent))
        skips = [x]
        for layer in self.down:
            x = layer(x) if isinstance(layer, _Down) else layer(x, embedding, sequence, mask)
            skips.append(x)
        for layer in self.middle:
            x = layer(x, embedding, sequence, mask)
        for layer in self.up:
            x = layer(x) if isinstance(layer, _Up) else layer(torch.cat((x, skips.pop()), 1), embedding, sequence, mask)
        return into_space(self.exit(x), self.data)


class _Block(nn.Module):
    """A residual block into which the embedding enters behind its second normalisation, and attention at the chosen levels."""

    def __init__(self, spec: UNet, axes: int, dims: int, token_dims: int, level: int | None, inputs: int, outputs: int) -> None:
        super().__init__()
        name = spec.activation
        self.first = nn.Sequential(group_norm(inputs), activation(name, inplace=True), convolution(axes, inputs, outputs, name))
        self.norm = group_norm(outputs)
        self.film = FiLM(dims, outputs)
        self.last = nn.Sequential(
            activation(name, inplace=True),
            *([nn.Dropout(spec.dropout)] if spec.dropout else []),
            zeroed(convolution(axes, outputs, outputs, name)),
        )
        self.shortcut = convolution(axes, inputs, outputs, None, kernel=1) if inputs != outputs else nn.Identity()
        self.attention = _Attention(outputs, spec.heads, token_dims) if level in spec.attention else None

    def forward(self, x: Tensor, embedding: Tensor, sequence: Tensor | None, mask: Tensor | None) -> Tensor:
        """Return (B, inputs, ...), (B, dims) -> (B, outputs, ...)."""
        x = self.shortcut(x) + self.last(self.film(self.norm(self.first(x)), embedding))
        if self.attention is not None:
            x = self.attention(x, sequence, mask)
        return x


class _Attention(nn.Module):
    """Each position of the grid reads all, then the tokens of the context where there are any; the identity at first."""

    def __init__(self, channels: int, heads: int, token_dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = SelfAttention(channels, heads)
        zeroed(self.attention.out)
        self.cross = CrossAttention(channels, heads, token_dims) if token_dims else None

    def forward(self, x: Tensor, sequence: Tensor | None, mask: Tensor | None) -> Tensor:
        """Return (B, C, ...), (B, L, token_dims) -> (B, C, ...)."""
        positions = x.flatten(2).transpose(1, 2)  # (B, N, C)
        read: Tensor = self.attention(self.norm(positions))
        if self.cross is not None:
            read = read + self.cross(positions + read, sequence, mask)
        return x + read.transpose(1, 2).reshape(x.shape)  # added to x, so that its memory format stays


class _Down(nn.Module):
    """A convolution of stride 2: axes are halved, rounded up."""

    def __init__(self, axes: int, channels: int) -> None:
        super().__init__()
        self.conv = convolution(axes, channels, channels, None, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ...) -> (B, C, ...)."""
        halved: Tensor = self.conv(x)
        return halved


class _Up(nn.Module):
    """Each position repeated to exactly ``size``, then a convolution."""

    def __init__(self, channels: int, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.conv = convolution(len(size), channels, channels, None)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ...) -> (B, C, *size)."""
        grown: Tensor = self.conv(interpolate(x, self.size))
        return grown
