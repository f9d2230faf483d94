"""Between grids, channels first, and rows: one for each position."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["grid_of", "rows_of"]


def rows_of(grid: Tensor) -> Tensor:
    """Return the channels of each position: (B, D, grid) -> (N, D); floats in single precision at least."""
    rows = grid.flatten(2).transpose(1, 2).flatten(0, 1) if grid.dim() > 2 else grid
    return rows.float() if rows.dtype in (torch.bfloat16, torch.float16) else rows


def grid_of(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return rows (N, D) on a grid, channels first; ``shape`` is that of batch and grid: -> (B, D, grid)."""
    return rows.reshape(*shape, rows.shape[1]).movedim(-1, 1).contiguous()
