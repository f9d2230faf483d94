"""The U-Net that reads a time, as decoder."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from genframe import ContextSpace, DecoderNetwork, Real, into_space, vector_dims

from .activations import Activation
from .activations import activation as named
from .attention import CrossAttention, SelfAttention
from .film import FiLM
from .initialisation import zeroed
from .inputs import checked, token_dims
from .layers import convolution, group_norm
from .spaces import grids
from .time_embedding import TimeEmbedding

__all__ = ["UNetDecoder"]


class UNetDecoder(DecoderNetwork):
    """A U-Net of residual blocks that reads a time. Ho et al. 2020, appendix B; Dhariwal & Nichol 2021, section 3.

    Blocks lead down to the smallest grid, two stand in the middle, and on the way up each block also reads what one on the way
    down made. The output starts at zero. A sigmoid maps into the bounds of bounded data.

    :param latent: the space of the input: channels and 1, 2 or 3 spatial axes.
    :param data: the space of the output, on the same grid.
    :param context: the space of the context. Its vector is added to the time; its sequence is read by cross-attention, at the
        levels in ``attention``, whatever the tokens' order (Rombach et al. 2022, section 3.3).
    :param channels: channels of each level, from the data's grid to the smallest.
    :param blocks: residual blocks of each level on the way down; on the way up there is one more.
    :param attention: levels with attention after each block, counted from 0, the data's grid.
    :param heads: heads of each attention, which share its level's channels.
    :param dropout: probability of dropping a block's hidden value in training.
    :raises ValueError: if there is a sequence and no attention to read it.

    >>> _ = torch.manual_seed(0)
    >>> context = ContextSpace(vector=Real((3,)), sequence=Real((7, 5)))  # 7 tokens of 5 values
    >>> image = Real((1, 8, 8))
    >>> unet = UNetDecoder(image, image, context, channels=(8, 16), blocks=1, attention=(1,), heads=2)
    >>> x, vector, tokens, time = torch.randn(2, 1, 8, 8), torch.randn(2, 3), torch.randn(2, 7, 5), torch.rand(2)
    >>> mask = torch.arange(7) < torch.tensor([[7], [4]])  # the second text has 4 tokens
    >>> unet(x, vector, sequence=tokens, mask=mask, time=time).shape
    torch.Size([2, 1, 8, 8])

    Without a context it reads a time alone:

    >>> UNetDecoder(image, image, channels=(8,))(x, time=time).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64, 64),
        blocks: int = 2,
        attention: Collection[int] = (),
        heads: int = 4,
        activation: Activation = "silu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        tokens, dims = token_dims(context), 4 * channels[0]
        if tokens and not attention:
            raise ValueError("a U-Net reads a sequence by attention and has none: give levels in 'attention'")
        self.latent, self.data = latent, data
        levels, deepest = list(enumerate(channels)), len(channels) - 1
        grid, axes = grids(data, deepest), len(data.shape) - 1

        def block(level: int | None, inputs: int, outputs: int) -> _Block:
            return _Block(axes, inputs, outputs, dims, activation, dropout, heads if level in attention else 0, tokens)

        self.embedding = TimeEmbedding(dims, activation, vector_dims(context))
        width = channels[0]
        skips = [width]
        self.entrance = convolution(axes, latent.shape[0], width, None)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, outputs in levels:
            if level:
                self.down.append(_Down(axes, width))
                skips.append(width)
            for _ in range(blocks):
                self.down.append(block(level, width, outputs))
                width = outputs
                skips.append(width)
        self.middle = nn.ModuleList([block(deepest, width, width), block(None, width, width)])
        for level, outputs in reversed(levels):
            for _ in range(blocks + 1):
                self.up.append(block(level, width + skips.pop(), outputs))
                width = outputs
            if level:
                self.up.append(_Up(width, grid[level - 1]))
        last = zeroed(convolution(axes, width, data.shape[0], activation))
        self.exit = nn.Sequential(group_norm(width), named(activation, inplace=True), last)

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
    """A residual block, scaled and shifted by the embedding after its second normalisation; attention if it has ``heads``."""

    def __init__(
        self,
        axes: int,
        inputs: int,
        outputs: int,
        dims: int,
        name: Activation,
        dropout: float,
        heads: int,
        tokens: int,
    ) -> None:
        super().__init__()
        self.first = nn.Sequential(group_norm(inputs), named(name, inplace=True), convolution(axes, inputs, outputs, name))
        self.norm = group_norm(outputs)
        self.film = FiLM(dims, outputs)
        self.last = nn.Sequential(
            named(name, inplace=True),
            *([nn.Dropout(dropout)] if dropout else []),
            zeroed(convolution(axes, outputs, outputs, name)),
        )
        self.shortcut = convolution(axes, inputs, outputs, None, kernel=1) if inputs != outputs else nn.Identity()
        self.attention = _Attention(outputs, heads, tokens) if heads else None

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
