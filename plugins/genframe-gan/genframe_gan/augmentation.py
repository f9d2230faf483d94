"""Differentiable augmentation of images. Zhao et al. 2020, sec. 3.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from .rules import Augmentation

__all__ = ["AUGMENTATIONS", "brightness", "cutout", "translation"]

SHIFT: Final = 1 / 8
CUT: Final = 1 / 2


def brightness(x: Tensor) -> Tensor:
    """Add a number from [-1/2, 1/2) to each image: (B, C, H, W).

    >>> brightness(torch.zeros(2, 1, 4, 4)).shape
    torch.Size([2, 1, 4, 4])
    """
    return x + torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype) - 0.5


def translation(x: Tensor) -> Tensor:
    """Shift each image by up to an eighth of its size each way, with zeros from outside: (B, C, H, W)."""
    batch, _, height, width = x.shape
    most = [max(1, round(size * SHIFT)) for size in (height, width)]
    rows, columns = (
        torch.arange(size, device=x.device) + torch.randint(0, 2 * reach + 1, (batch, 1), device=x.device)
        for size, reach in zip((height, width), most, strict=True)
    )
    padded = F.pad(x, (most[1], most[1], most[0], most[0])).permute(0, 2, 3, 1)
    index = torch.arange(batch, device=x.device)[:, None, None]
    return padded[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(x: Tensor) -> Tensor:
    """Set a square of half the image's size to zero, its centre anywhere in the image: (B, C, H, W)."""
    inside = [_within(size, len(x), x.device) for size in x.shape[2:]]
    return x * ~(inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(1)


def _within(size: int, batch: int, device: torch.device) -> Tensor:
    """Return which places lie within half of ``size`` around a random centre: (B, size)."""
    length = round(size * CUT)
    start = torch.randint(0, size + 1 - length % 2, (batch, 1), device=device) - length // 2
    places = torch.arange(size, device=device)
    return (places >= start) & (places < start + length)


AUGMENTATIONS: Final[dict[Augmentation, Callable[[Tensor], Tensor]]] = {
    "brightness": brightness,
    "translation": translation,
    "cutout": cutout,
}
