"""Bijections that only move values: their log-determinant is zero."""

from __future__ import annotations

from torch import Tensor

from genframe import Context

from .bijection import Bijection
from .spaces import Shape, unbounded

__all__ = ["Flatten", "Permutation", "Squeeze"]


class Flatten(Bijection):
    """Data of any shape as vectors.

    :param data: the shape of one example.

    >>> import torch
    >>> y, log_det = Flatten((2, 3))(torch.zeros(5, 2, 3))
    >>> y.shape, log_det.item()
    (torch.Size([5, 6]), 0.0)
    """

    def __init__(self, data: Shape) -> None:
        super().__init__()
        self.shape = unbounded(data).shape

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return (B, ...) -> (B, D) and zero."""
        return x.flatten(1), x.new_zeros(())

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, D) -> (B, ...)."""
        x: Tensor = y.unflatten(1, self.shape)
        return x


class Permutation(Bijection):
    """Entries of the first axis in a fixed order.

    :param order: the old place of each entry: (D,), int64.

    >>> import torch
    >>> layer = Permutation(torch.tensor([2, 0, 1]))
    >>> y, _ = layer(torch.tensor([[10.0, 11.0, 12.0]]))
    >>> y.tolist(), layer.inverse(y).tolist()
    ([[12.0, 10.0, 11.0]], [[10.0, 11.0, 12.0]])
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the entries in their new order and zero."""
        return x[:, self.order], x.new_zeros(())

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the entries in their old order."""
        return y[:, self.back]


class Squeeze(Bijection):
    """Blocks of two positions along each axis as channels: (C, H, W) -> (4C, H/2, W/2). Dinh et al. 2017, sec. 3.6.

    All channels of a block's first position come first, then those of its second, and so on, so that both halves of the
    result hold every channel of the data.

    :param axes: the number of spatial axes, 1 to 3; each must have an even size.

    >>> import torch
    >>> layer, x = Squeeze(2), torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> y, _ = layer(x)
    >>> y.shape, y[0, 0].tolist()
    (torch.Size([1, 4, 2, 2]), [[0.0, 2.0], [8.0, 10.0]])
    >>> torch.equal(layer.inverse(y), x)
    True
    """

    def __init__(self, axes: int) -> None:
        super().__init__()
        within, between = [2 * axis + 3 for axis in range(axes)], [2 * axis + 2 for axis in range(axes)]
        self.axes = axes
        self.to_channels = (0, *within, 1, *between)  # of (B, C, H/2, 2, W/2, 2)
        self.to_positions = (0, 1 + axes, *(place for axis in range(axes) for place in (2 + axes + axis, 1 + axis)))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the blocks as channels and zero."""
        batch, channels, *grid = x.shape
        blocks = x.reshape(batch, channels, *(size for axis in grid for size in (axis // 2, 2)))  # (B, C, H/2, 2, W/2, 2)
        y = blocks.permute(self.to_channels).reshape(batch, channels * 2**self.axes, *(axis // 2 for axis in grid))
        return y, x.new_zeros(())

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the channels as blocks."""
        batch, channels, *grid = y.shape
        blocks = y.reshape(batch, *(2,) * self.axes, channels // 2**self.axes, *grid)  # (B, 2, 2, C, H/2, W/2)
        return blocks.permute(self.to_positions).reshape(batch, channels // 2**self.axes, *(2 * axis for axis in grid))
