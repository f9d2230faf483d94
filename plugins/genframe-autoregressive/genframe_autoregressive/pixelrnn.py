"""PixelRNN with row LSTMs."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, ContextSpace, Space, vector_dims, vector_of
from genframe_nets.initialisation import initialised
from genframe_nets.inputs import flat_context

from .raster import Line, RasterNetwork, RasterPrior, Rows, Scan, as_matrix

__all__ = ["PixelRNNPrior", "RowLSTMs"]


def memorised(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return hidden and cell state after a step of an LSTM: (B, 4F, ...), (B, F, ...) -> (B, F, ...) twice.

    Van den Oord et al. 2016a, eq. 3.
    """
    output, forget, take, content = gates.chunk(4, 1)
    cell = torch.sigmoid(forget) * cell + torch.sigmoid(take) * torch.tanh(content)
    return torch.sigmoid(output) * torch.tanh(cell), cell


class RowLSTM(nn.Module):
    """An LSTM over the rows, all columns at once; its state is seen through a kernel, its input up to the pixel."""

    def __init__(self, channels: int, kernel: int, context: int = 0) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.input = initialised(nn.Conv2d(channels, 4 * channels, (1, self.reach + 1), bias=False), None)
        self.state = initialised(nn.Conv1d(channels, 4 * channels, kernel, padding=self.reach), None)
        self.out = initialised(nn.Conv2d(channels, channels, 1, bias=False), None)
        self.context = initialised(nn.Linear(context, 4 * channels, bias=False), None) if context else None

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return (B, F, H, W), (B, context) -> (B, F, H, W)."""
        inputs = self.input(F.pad(x, (self.reach, 0)))
        if self.context is not None:
            inputs = inputs + self.context(context)[:, :, None, None]
        hidden = cell = torch.zeros_like(x[:, :, 0])
        rows = []
        for row in inputs.unbind(2):
            hidden, cell = memorised(row + self.state(hidden), cell)
            rows.append(hidden)
        out: Tensor = x + self.out(torch.stack(rows, 2))
        return out


class RowLSTMs(RasterNetwork):
    """A first convolution that stops short of the pixel, then row LSTMs, each added to what it read.

    :param inputs: inputs of each pixel.
    :param grid: height and width of the images.
    :param first_kernel: width of the convolution's kernel; ``kernel`` is that of the LSTMs. Odd numbers.
    :param context: the space of the context, of which the vector is read.

    >>> lstms = RowLSTMs(2, (5, 4), channels=8, layers=1)
    >>> lstms(torch.randn(6, 2, 5, 4)).shape
    torch.Size([6, 8, 5, 4])
    """

    def __init__(
        self,
        inputs: int,
        grid: tuple[int, int],
        *,
        channels: int,
        layers: int,
        kernel: int = 3,
        first_kernel: int = 7,
        context: ContextSpace | None = None,
    ) -> None:
        super().__init__()
        self.width, self.context_dims = grid[1], vector_dims(context)
        self.reach = first_kernel // 2
        self.above = initialised(nn.Conv2d(inputs, channels, (self.reach, first_kernel)), None)
        self.left = initialised(nn.Conv2d(inputs, channels, (1, self.reach), bias=False), None)
        self.layers = nn.ModuleList(RowLSTM(channels, kernel, self.context_dims) for _ in range(layers))

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, I, H, W) -> (B, F, H, W)."""
        vector = flat_context(vector_of(context), self.context_dims) if self.context_dims else None
        side = self.reach
        h: Tensor = self.above(F.pad(x, (side, side, side, -1))) + self.left(F.pad(x, (side, -1)))
        for layer in self.layers:
            h = layer(h, vector)
        return h

    def scan(self, n: int, context: Context | None = None) -> Scan:
        """Return a function that gives the same features pixel by pixel: what rows above give at once, then pixels."""
        vector = flat_context(vector_of(context), self.context_dims) if self.context_dims else None
        weight = self.above.weight
        rows = Rows(weight, n, weight.shape[1], self.reach, self.width, self.reach)
        line = Line(weight, n, weight.shape[1], self.width, self.reach)
        left = as_matrix(self.left)
        layers = [_Scanned(cast(RowLSTM, layer), n, self.width, vector) for layer in self.layers]
        above = weight.new_empty(self.width, n, weight.shape[0])
        column = self.width

        def scan(previous: Tensor | None) -> Tensor:
            nonlocal column
            if previous is not None:
                line.put(column, previous)
                column += 1
            if column == self.width:
                column = 0
                if previous is not None:
                    rows.push(line.row)
                above.copy_(self.above(rows.padded).squeeze(2).permute(2, 0, 1))
                for layer in layers:
                    layer.row()
            h = torch.addmm(above[column], line.window(column, self.reach), left)
            for layer in layers:
                h = layer.pixel(column, h)
            return h

        return scan


class _Scanned:
    """A row LSTM that goes through the image, and what it keeps."""

    def __init__(self, layer: RowLSTM, n: int, width: int, context: Tensor | None) -> None:
        weight = layer.state.weight
        channels = weight.shape[1]
        self.layer = layer
        self.line = Line(weight, n, channels, width, layer.reach)
        self.hidden, self.cell = weight.new_zeros(width, n, channels), weight.new_zeros(width, n, channels)
        self.gates = weight.new_empty(width, n, 4 * channels)
        self.shift = layer.context(context)[:, :, None] if layer.context is not None else None
        self.input, self.out = as_matrix(layer.input), as_matrix(layer.out)

    def row(self) -> None:
        """Start a row: compute what the states of the row above give to its gates."""
        gates: Tensor = self.layer.state(self.hidden.permute(1, 2, 0))  # (n, 4F, W)
        self.gates.copy_((gates if self.shift is None else gates + self.shift).permute(2, 0, 1))

    def pixel(self, column: int, h: Tensor) -> Tensor:
        """Return the layer at ``column``: (n, F) -> (n, F)."""
        self.line.put(column, h)
        gates = torch.addmm(self.gates[column], self.line.window(column, self.layer.reach + 1), self.input)
        hidden, cell = memorised(gates, self.cell[column])
        self.hidden[column], self.cell[column] = hidden, cell
        return torch.addmm(h, hidden, self.out)


class PixelRNNPrior(RasterPrior):
    """PixelRNN with row LSTMs. Van den Oord et al. 2016a, section 3.1.

    :param code: a space of images (H, W) or (C, H, W) of discrete values.
    :param channels: features of each pixel.
    :param layers: the number of row LSTMs.
    :param kernel: width of the LSTMs' kernels, an odd number; ``first_kernel`` is that of the first layer.
    :param mixture: mix so many discretised logistics; a probability for each level where it is ``None``.
    :param context: the space of the context, of which the vector is read.

    >>> from genframe import Real
    >>> prior = PixelRNNPrior(Real((1, 4, 4), 0, 1, levels=2), channels=8, layers=1)
    >>> x = prior.sample(5)
    >>> x.shape, prior.log_prob(x).shape
    (torch.Size([5, 1, 4, 4]), torch.Size([5]))
    """

    def __init__(
        self,
        code: Space,
        channels: int = 64,
        layers: int = 2,
        *,
        kernel: int = 3,
        first_kernel: int = 7,
        mixture: int | None = None,
        context: ContextSpace | None = None,
    ) -> None:
        network = partial(RowLSTMs, channels=channels, layers=layers, kernel=kernel, first_kernel=first_kernel, context=context)
        super().__init__(code, channels, mixture, network)
