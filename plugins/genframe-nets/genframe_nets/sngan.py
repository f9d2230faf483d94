"""The residual networks of adversarial models, which average and repeat neighbours to change the grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from genframe import ContextSpace, DecoderNetwork, EncoderNetwork, Real, into_space, vector_dims

from .activations import Activation
from .activations import activation as named
from .film import FiLM
from .initialisation import scaled
from .inputs import checked
from .layers import Entrance, Exit, Norm, convolution, normalisation
from .spaces import grids

__all__ = ["AveragingEncoder", "RepeatingDecoder"]

FIRST_SCALE: Final = 0.1
MEAN_POOL: Final[dict[int, Callable[..., nn.Module]]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}


class AveragingEncoder(EncoderNetwork):
    """A critic of blocks that halve the grid, blocks that keep it, an activation and a sum. Miyato et al. 2018, table 4.

    :param data: the space of the data: channels and 1, 2 or 3 spatial axes, which each stage halves, rounded up.
    :param context: the space of the context; its vector scales and shifts the channels before each activation.
    :param channels: channels of each stage, from the data to the smallest grid.
    :param dim: size of a last linear layer; ``None`` leaves the features.
    :param norm: normalisation before each activation.
    :param blocks: residual blocks on the smallest grid, after the stages.
    :param pool: sum the features over the smallest grid.

    >>> _ = torch.manual_seed(0)
    >>> critic = AveragingEncoder(Real((3, 16, 16)), channels=(16, 32), dim=1, blocks=1)
    >>> critic(torch.randn(5, 3, 16, 16)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        activation: Activation = "relu",
        dim: int | None = None,
        norm: Norm = "none",
        blocks: int = 2,
        pool: bool = True,
    ) -> None:
        super().__init__()
        self.data, self.pool = data, pool
        grid, last = grids(data, len(channels))[-1], channels[-1]
        style = _Style(activation, norm, len(grid), vector_dims(context))
        self.blocks = nn.ModuleList()
        for inputs, outputs in pairwise((data.shape[0], *channels)):
            self.blocks.append(_Block(style, inputs, outputs, halve=True, first=not self.blocks))
        self.blocks.extend(_Block(style, last, last) for _ in range(blocks))
        self.end = _Activated(style, last, overwrite=True)
        self.exit = Exit(Real((last, *(() if pool else grid))), dim, activation)
        if pool and self.exit.linear is not None:
            with torch.no_grad():
                self.exit.linear.weight.div_(math.prod(grid))  # at first the sum is read as a mean

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data), (B, context) -> (B, dim), (B, C) or (B, C, ...)."""
        x = checked(x, self.data)
        for block in self.blocks:
            x = block(x, context)
        x = self.end(x, context)
        encoded: Tensor = self.exit(x.flatten(2).sum(2) if self.pool else x)
        return encoded


class RepeatingDecoder(DecoderNetwork):
    """A generator: the latent on the smallest grid, blocks that double it, and a convolution. Miyato et al. 2018, table 4.

    A sigmoid maps into the bounds of bounded data.

    :param latent: a vector, or features on the smallest grid.
    :param data: the space of the data: channels and 1, 2 or 3 spatial axes.
    :param context: the space of the context; its vector scales and shifts the channels after each normalisation.
    :param channels: channels of each stage, from the data to the smallest grid, as the critic's.
    :param norm: normalisation before each activation.

    >>> _ = torch.manual_seed(0)
    >>> generator = RepeatingDecoder(Real((8,)), Real((3, 16, 16), -1.0, 1.0), channels=(16, 32))
    >>> generator(torch.randn(5, 8)).shape
    torch.Size([5, 3, 16, 16])
    """

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        channels: Sequence[int] = (32, 64),
        activation: Activation = "relu",
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        self.data = data
        *sizes, grid = grids(data, len(channels))
        style = _Style(activation, norm, len(grid), vector_dims(context))
        self.entrance = Entrance(latent, Real((channels[-1], *grid)), bias=norm != "batch")
        self.blocks = nn.ModuleList()
        for (inputs, outputs), size in zip(pairwise((*channels[::-1], channels[0])), sizes[::-1], strict=True):
            self.blocks.append(_Block(style, inputs, outputs, size=size))
        self.end = _Activated(style, channels[0], overwrite=True)
        self.out = convolution(style.axes, channels[0], data.shape[0], activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent), (B, context) -> (B, data)."""
        x = self.entrance(latent)
        for block in self.blocks:
            x = block(x, context)
        return into_space(self.out(self.end(x, context)), self.data)


class _Style(NamedTuple):
    """What all blocks of a network have in common."""

    activation: Activation
    norm: Norm
    axes: int
    context_dims: int


class _Activated(nn.Module):
    """f(film(norm(x))); ``overwrite`` lets f overwrite x even where nothing stands between them."""

    def __init__(self, style: _Style, channels: int, *, overwrite: bool) -> None:
        super().__init__()
        self.norm = nn.Sequential(*normalisation(style.norm, style.axes, channels))
        self.film = FiLM(style.context_dims, channels)
        self.activation = named(style.activation, inplace=overwrite or style.norm != "none" or style.context_dims > 0)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, C, ...) -> (B, C, ...)."""
        activated: Tensor = self.activation(self.film(self.norm(x), context))
        return activated


class _Block(nn.Module):
    """shortcut(x) + conv(g(conv(g(x)))), with g = f ∘ film ∘ norm. He et al. 2016, fig. 1b; Miyato et al. 2018, fig. 8.

    Neighbours are repeated up to ``size`` before the first convolution, or averaged after the last where it is to ``halve``.
    The ``first`` block of a critic reads data, so it has no activation before its first convolution.
    """

    def __init__(
        self,
        style: _Style,
        inputs: int,
        outputs: int,
        *,
        size: tuple[int, ...] | None = None,
        halve: bool = False,
        first: bool = False,
    ) -> None:
        super().__init__()
        axes, name, bias = style.axes, style.activation, style.norm != "batch"  # batch normalisation cancels a bias before it
        self.entry = None if first else _Activated(style, inputs, overwrite=False)
        self.before = nn.Upsample(size) if size else nn.Identity()
        self.conv = convolution(axes, inputs, outputs, None if first else name, bias=bias)
        self.middle = _Activated(style, outputs, overwrite=True)
        self.last = scaled(convolution(axes, outputs, outputs, name, bias=bias), FIRST_SCALE)
        self.after = MEAN_POOL[axes](2, ceil_mode=True) if halve else nn.Identity()
        change = convolution(axes, inputs, outputs, None, kernel=1, bias=False) if inputs != outputs else nn.Identity()
        self.shortcut = nn.Sequential(self.after, change, self.before)  # the change of channels on the smaller grid

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, inputs, ...) -> (B, outputs, ...)."""
        h = x if self.entry is None else self.entry(x, context)
        h = self.middle(self.conv(self.before(h)), context)
        out: Tensor = self.shortcut(x) + self.after(self.last(h))
        return out
