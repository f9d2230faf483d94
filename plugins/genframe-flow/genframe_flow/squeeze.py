"""Positions as channels."""

from __future__ import annotations

from torch import Tensor

from genframe import Context

from .bijection import Bijection

__all__ = ["Squeeze"]


class Squeeze(Bijection):
    """Blocks of two positions along each axis as channels: (C, H, W) -> (4C, H/2, W/2). Dinh et al. 2017, sec. 3.6.

    For 1 to 3 ``axes``, all even. All channels of a block's first position come first, then those of its second, ..., so
    that both halves of the result hold every channel of the data.
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
        blocks = x.reshape(batch, channels, *(size for axis in grid for size in (axis // 2, 2)))
        y = blocks.permute(self.to_channels).reshape(batch, channels * 2**self.axes, *(axis // 2 for axis in grid))
        return y, x.new_zeros(())

    def inverse(self, y: Tensor, context: Context | None = None) -> Tensor:
        """Return the channels as blocks."""
        batch, channels, *grid = y.shape
        blocks = y.reshape(batch, *(2,) * self.axes, channels // 2**self.axes, *grid)
        return blocks.permute(self.to_positions).reshape(batch, channels // 2**self.axes, *(2 * axis for axis in grid))
