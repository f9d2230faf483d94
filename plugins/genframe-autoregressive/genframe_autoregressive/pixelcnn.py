"""The gated PixelCNN: two stacks of convolutions, so that no pixel before is out of sight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, ContextSpace, Space, vector_dims, vector_of
from genframe_nets.initialisation import initialised
from genframe_nets.inputs import flat_context

from .raster import Line, RasterNetwork, RasterPrior, Rows, Scan, as_matrix

__all__ = ["GatedStacks", "PixelCNNPrior"]

GATE_MOMENT: Final = 0.116
"""E[(tanh u · sigmoid v)²] for u, v ~ N(0, 1)."""


def gated(x: Tensor) -> Tensor:
    """Return tanh of the first half of the channels times sigmoid of the second. Van den Oord et al. 2016b, eq. 2."""
    a, b = x.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


def convolution(inputs: int, outputs: int, size: tuple[int, int], moment: float, bias: bool = False) -> nn.Conv2d:
    """Return a convolution without padding whose outputs have unit variance where inputs have the second ``moment``."""
    layer = initialised(nn.Conv2d(inputs, outputs, size, bias=bias), None)
    with torch.no_grad():
        layer.weight.div_(math.sqrt(moment))
    return layer


class GatedLayer(nn.Module):
    """A step of both stacks: the vertical one sees the rows above, and feeds the horizontal one, which sees the row.

    The ``first`` layer stops short of the pixel itself and of its row; later ones may look at what it made of them.
    ``depth``: how many layers there are, over which the horizontal stack is summed.
    """

    def __init__(
        self, inputs: int, channels: int, kernel: int, *, context: int = 0, depth: int = 1, dropout: float = 0.0, first: bool
    ) -> None:
        super().__init__()
        self.reach, self.dropout, self.first = kernel // 2, dropout, first
        height = self.reach if first else self.reach + 1
        self.vertical = convolution(inputs, 2 * channels, (height, kernel), 1.0 if first else GATE_MOMENT, bias=True)
        self.horizontal = convolution(inputs, 2 * channels, (1, height), 2.0)
        self.link = convolution(2 * channels, 2 * channels, (1, 1), 2.0, bias=True)
        self.out = convolution(channels, channels, (1, 1), GATE_MOMENT * (1 if first else depth))
        self.context = initialised(nn.Linear(context, 2 * channels, bias=False), None) if context else None

    def forward(self, v: Tensor, h: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return both stacks: (B, I, H, W), (B, I, H, W), (B, context) -> (B, F, H, W) twice."""
        last = -1 if self.first else 0  # crops the last row or column, so that kernels end before the pixel
        side = self.reach
        above = self.vertical(F.pad(v, (side, side, side, last)))
        if self.context is not None:
            above = above + self.context(context)[:, :, None, None]
        across = self.horizontal(F.pad(h, (side, last))) + self.link(above)
        step = self.out(F.dropout(gated(across), self.dropout, self.training))
        return F.dropout(gated(above), self.dropout, self.training), step if self.first else h + step


class GatedStacks(RasterNetwork):
    """The gated layers one after another; the horizontal stack at the end is the features.

    :param inputs: inputs of each pixel.
    :param grid: height and width of the images.
    :param kernels: the widths of the layers' kernels, odd numbers.
    :param context: the space of the context, of which the vector is read.

    >>> stacks = GatedStacks(2, (5, 4), channels=8, kernels=(7, 3, 3))
    >>> stacks(torch.randn(6, 2, 5, 4)).shape
    torch.Size([6, 8, 5, 4])
    """

    def __init__(
        self,
        inputs: int,
        grid: tuple[int, int],
        *,
        channels: int,
        kernels: Sequence[int],
        dropout: float = 0.0,
        context: ContextSpace | None = None,
    ) -> None:
        super().__init__()
        self.width, self.context_dims = grid[1], vector_dims(context)
        common: dict[str, Any] = {"context": self.context_dims, "depth": len(kernels), "dropout": dropout}
        self.layers = nn.ModuleList(
            GatedLayer(channels if number else inputs, channels, kernel, first=not number, **common)
            for number, kernel in enumerate(kernels)
        )

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, I, H, W) -> (B, F, H, W)."""
        vector = flat_context(vector_of(context), self.context_dims) if self.context_dims else None
        v = h = x
        for layer in self.layers:
            v, h = layer(v, h, vector)
        return h

    def scan(self, n: int, context: Context | None = None) -> Scan:
        """Return a function that gives the same features pixel by pixel: a row of the vertical stack at once, then pixels."""
        vector = flat_context(vector_of(context), self.context_dims) if self.context_dims else None
        layers = [_Scanned(cast(GatedLayer, layer), n, self.width, vector) for layer in self.layers]
        column = self.width

        def scan(previous: Tensor | None) -> Tensor:
            nonlocal column
            if previous is not None:
                layers[0].line.put(column, previous)
                column += 1
            if column == self.width:
                column = 0
                v = layers[0].line.row if previous is not None else None
                for layer in layers:
                    v = layer.row(v)
            h = layers[0].pixel(column, None)
            for layer in layers[1:]:
                h = layer.pixel(column, h)
            return h

        return scan


class _Scanned:
    """A gated layer that goes through the image, and what it keeps."""

    def __init__(self, layer: GatedLayer, n: int, width: int, context: Tensor | None) -> None:
        weight = layer.vertical.weight
        _, inputs, self.height, _ = weight.shape
        self.layer = layer
        self.rows = Rows(weight, n, inputs, self.height, width, layer.reach)
        self.line = Line(weight, n, inputs, width, layer.reach)
        self.links = weight.new_empty(width, n, weight.shape[0])
        self.shift = layer.context(context)[:, :, None, None] if layer.context is not None else None
        self.horizontal, self.out = as_matrix(layer.horizontal), as_matrix(layer.out)

    def row(self, v: Tensor | None) -> Tensor:
        """Take the row of the vertical stack that the kernel ends at, and return this layer's: (n, I, W) -> (n, F, W)."""
        if v is not None:
            self.rows.push(v)
        above: Tensor = self.layer.vertical(self.rows.padded)  # (n, 2F, 1, W)
        if self.shift is not None:
            above = above + self.shift
        self.links.copy_(self.layer.link(above).squeeze(2).permute(2, 0, 1))
        return gated(above).squeeze(2)

    def pixel(self, column: int, h: Tensor | None) -> Tensor:
        """Return the horizontal stack at ``column``: (n, F); ``h`` is the layer's input there, ``None`` in the first."""
        if h is not None:
            self.line.put(column, h)
        across = torch.addmm(self.links[column], self.line.window(column, self.height), self.horizontal)
        return gated(across) @ self.out if h is None else torch.addmm(h, gated(across), self.out)


class PixelCNNPrior(RasterPrior):
    """The gated PixelCNN. Van den Oord et al. 2016b.

    :param code: a space of images (H, W) or (C, H, W) of discrete values.
    :param channels: features of each pixel.
    :param layers: the number of gated layers.
    :param kernel: width of the layers' kernels, an odd number; ``first_kernel`` is that of the first.
    :param mixture: mix so many discretised logistics (Salimans et al. 2017); a probability for each level where it is ``None``.
    :param dropout: share of each gate's outputs that training sets to zero.
    :param context: the space of the context, of which the vector is read (eq. 4).

    >>> from genframe import Real
    >>> prior = PixelCNNPrior(Real((3, 4, 4), 0, 1, levels=8), channels=8, layers=2)
    >>> x = prior.sample(5)
    >>> x.shape, prior.log_prob(x).shape
    (torch.Size([5, 3, 4, 4]), torch.Size([5]))
    """

    def __init__(
        self,
        code: Space,
        channels: int = 64,
        layers: int = 8,
        *,
        kernel: int = 3,
        first_kernel: int = 7,
        mixture: int | None = None,
        dropout: float = 0.0,
        context: ContextSpace | None = None,
    ) -> None:
        kernels = (first_kernel, *(kernel for _ in range(layers - 1)))
        network = partial(GatedStacks, channels=channels, kernels=kernels, dropout=dropout, context=context)
        super().__init__(code, channels, mixture, network)
