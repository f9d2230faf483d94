"""The residual networks of adversarial models, which average and repeat neighbours to change the grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Final, cast

import torch
from torch import Tensor, nn

from genframe import ContextSpace, DecoderNetwork, EncoderNetwork, Real, into_space, vector_dims

from .activations import activation
from .film import FiLM
from .grids import grids
from .inputs import checked
from .layers import Entrance, Exit, convolution, normalisation
from .specs.sngan import SNGAN, SNGANDecoder

__all__ = ["AveragingEncoder", "RepeatingDecoder"]

FIRST_SCALE: Final = 0.1
MEAN_POOL: Final[dict[int, Callable[..., nn.Module]]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}


class AveragingEncoder(EncoderNetwork):
    """Blocks that halve the grid, blocks that keep it, the activation and a sum over the grid."""

    def __init__(self, spec: SNGAN, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data, self.pool = data, spec.pool
        grid, dims = grids(data, len(spec.channels))[-1], vector_dims(context)
        axes, last = len(grid), spec.channels[-1]
        self.blocks = nn.ModuleList()
        for inputs, outputs in pairwise((data.shape[0], *spec.channels)):
            self.blocks.append(_Block(spec, axes, dims, inputs, outputs, halve=True, first=not self.blocks))
        self.blocks.extend(_Block(spec, axes, dims, last, last) for _ in range(spec.blocks))
        self.end = _Activated(spec, axes, dims, last, overwrite=True)
        self.exit = Exit(Real((last, *(() if spec.pool else grid))), spec.dim, spec.activation)
        if spec.pool and self.exit.linear is not None:
            with torch.no_grad():
                self.exit.linear.weight.div_(math.prod(grid))  # at first the sum is read as a mean

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return features: (B, data) -> (B, dim), (B, C) or (B, C, ...)."""
        x = checked(x, self.data)
        for block in self.blocks:
            x = block(x, context)
        x = self.end(x, context)
        encoded: Tensor = self.exit(x.flatten(2).sum(2) if self.pool else x)
        return encoded


class RepeatingDecoder(DecoderNetwork):
    """The latent on the smallest grid, blocks that double it, then the activation and a convolution to the data's channels."""

    def __init__(self, spec: SNGANDecoder, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.data = data
        *sizes, grid = grids(data, len(spec.channels))
        axes, dims, deepest = len(grid), vector_dims(context), spec.channels[-1]
        self.entrance = Entrance(latent, Real((deepest, *grid)), bias=spec.norm != "batch")
        self.blocks = nn.ModuleList()
        for (inputs, outputs), size in zip(pairwise((*spec.channels[::-1], spec.channels[0])), sizes[::-1], strict=True):
            self.blocks.append(_Block(spec, axes, dims, inputs, outputs, size=size))
        self.end = _Activated(spec, axes, dims, spec.channels[0], overwrite=True)
        self.out = convolution(axes, spec.channels[0], data.shape[0], spec.activation)

    def forward(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return data: (B, latent) -> (B, data)."""
        x = self.entrance(latent)
        for block in self.blocks:
            x = block(x, context)
        return into_space(self.out(self.end(x, context)), self.data)


class _Activated(nn.Module):
    """f(film(norm(x))), which may overwrite x where it comes with nothing before f."""

    def __init__(self, spec: SNGAN | SNGANDecoder, axes: int, context_dims: int, channels: int, *, overwrite: bool) -> None:
        super().__init__()
        self.norm = nn.Sequential(*normalisation(spec.norm, axes, channels))
        self.film = FiLM(context_dims, channels)
        self.activation = activation(spec.activation, inplace=overwrite or spec.norm != "none" or context_dims > 0)

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
        spec: SNGAN | SNGANDecoder,
        axes: int,
        context_dims: int,
        inputs: int,
        outputs: int,
        *,
        size: tuple[int, ...] | None = None,
        halve: bool = False,
        first: bool = False,
    ) -> None:
        super().__init__()
        bias, name = spec.norm != "batch", spec.activation  # batch normalisation would take a bias away again
        self.entry = None if first else _Activated(spec, axes, context_dims, inputs, overwrite=False)
        self.before = nn.Upsample(size) if size else nn.Identity()
        self.conv = convolution(axes, inputs, outputs, None if first else name, bias=bias)
        self.middle = _Activated(spec, axes, context_dims, outputs, overwrite=True)
        self.last = convolution(axes, outputs, outputs, name, bias=bias)
        self.after = MEAN_POOL[axes](2, ceil_mode=True) if halve else nn.Identity()
        change = convolution(axes, inputs, outputs, None, kernel=1, bias=False) if inputs != outputs else nn.Identity()
        self.shortcut = nn.Sequential(self.after, change, self.before)  # the change of channels on the smaller grid
        with torch.no_grad():
            cast(Tensor, self.last.weight).mul_(FIRST_SCALE)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, inputs, ...) -> (B, outputs, ...)."""
        h = x if self.entry is None else self.entry(x, context)
        h = self.middle(self.conv(self.before(h)), context)
        out: Tensor = self.shortcut(x) + self.after(self.last(h))
        return out
