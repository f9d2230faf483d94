"""Random variations of training images: windows, mirror images, colours; and the window of held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor

from genframe import Prepare

from .augmentation import Jitter

__all__ = ["Cropped", "Flipped", "Mirrored", "Recoloured"]

LUMA: Final = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in grey. ITU-R BT.601."""

Uniform = Callable[..., Tensor]


@dataclass(frozen=True)
class Cropped:
    """Cuts a window of ``size`` (H, W) out of each image, then continues with ``prepare``: at random, or from the middle."""

    size: tuple[int, int]
    prepare: Prepare
    random: bool

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the prepared windows: (B, C, ..., H', W') -> (B, C, ..., H, W); all frames of a clip through the same one."""
        height, width = self.size
        spare = (stored.shape[-2] - height, stored.shape[-1] - width)
        if not self.random:
            top, left = spare[0] // 2, spare[1] // 2
            return self.prepare(stored[..., top : top + height, left : left + width].contiguous(), generator)
        draws = torch.rand(2, len(stored), generator=generator, device=stored.device)
        places = (draws * torch.tensor([[one + 1] for one in spare], device=stored.device)).long().tolist()
        windows = stored.new_empty(*stored.shape[:-2], height, width)
        for window, image, top, left in zip(windows, stored, *places, strict=True):
            window.copy_(image[..., top : top + height, left : left + width])
        return self.prepare(windows, generator)


@dataclass(frozen=True)
class Flipped:
    """Mirrors each image left to right with probability one half, then continues with ``prepare``."""

    prepare: Prepare

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the prepared images, some of them mirrored: (B, C, ..., W) -> (B, C, ..., W)."""
        mirrored = torch.rand(len(stored), *_ones(stored), generator=generator, device=stored.device) < 0.5
        return self.prepare(torch.where(mirrored, stored.flip(-1), stored), generator)


@dataclass(frozen=True)
class Mirrored:
    """Mirrors every image left to right, then continues with ``prepare``."""

    prepare: Prepare

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the prepared mirror images: (B, C, ..., W) -> (B, C, ..., W)."""
        return self.prepare(stored.flip(-1), generator)


@dataclass(frozen=True)
class Recoloured:
    """Changes brightness, contrast and saturation of each image, on levels from 0 to ``top``, then continues with ``prepare``.

    Each factor is drawn uniformly from 1 plus or minus its field. ``rounded`` takes values back to whole levels.
    """

    spec: Jitter
    top: int
    prepare: Prepare
    rounded: bool = True

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the prepared images in other colours: (B, C, ...) -> (B, C, ...); all frames of a clip in the same ones."""
        draws = torch.rand(3, len(stored), *_ones(stored), generator=generator, device=stored.device).mul_(2).sub_(1)
        spec = self.spec
        bright, contrast, saturation = (
            1 + draw * field for draw, field in zip(draws, (spec.brightness, spec.contrast, spec.saturation), strict=True)
        )
        x = stored.float() * bright
        x = _from(x.mean([*range(1, x.dim())], keepdim=True), x, contrast)
        if x.shape[1] == 3:
            grey = (x * torch.tensor(LUMA, device=x.device).view(3, *_ones(x)[1:])).sum(1, keepdim=True)
            x = _from(grey, x, saturation)
        x = x.clamp_(0, self.top)
        return self.prepare(x.round_() if self.rounded else x, generator)


def _ones(x: Tensor) -> tuple[int, ...]:
    """Return a size of one for each axis of an example: (1, 1, 1) for (B, C, H, W)."""
    return (1,) * (x.dim() - 1)


def _from(centre: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    return (x - centre) * factor + centre
