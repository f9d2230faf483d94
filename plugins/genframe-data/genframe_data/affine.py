"""Affine maps of a batch of images, and the preparation that draws them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from genframe import Prepare

from .augmentation import Augmentation

__all__ = ["AffineMaps", "Augmented", "warped"]


@dataclass(frozen=True)
class AffineMaps:
    """x -> R(angle) [[1, shear], [0, 1]] diag(scale) x + shift about the centre, x = (right, down) in pixels.

    ``angle`` (B,) turns clockwise as images are seen, ``scale`` (B, 2) is of width and height, ``shear`` (B,),
    ``shift`` (B, 2) is a share of width and height.
    """

    angle: Tensor
    scale: Tensor
    shear: Tensor
    shift: Tensor

    def inverse(self, height: int, width: int) -> Tensor:
        """Return where each point comes from, in the coordinates of ``grid_sample``, the image being [-1, 1]²: (B, 2, 3)."""
        cos, sin, ratio = self.angle.cos(), self.angle.sin(), height / width
        rows = (cos + self.shear * sin, (sin - self.shear * cos) * ratio, -sin / ratio, cos)
        back = torch.stack(rows, 1).view(-1, 2, 2) / self.scale.unsqueeze(2)
        return torch.cat((back, -2 * back @ self.shift.unsqueeze(2)), 2)


def warped(x: Tensor, maps: AffineMaps, padding: str = "zeros") -> Tensor:
    """Return mapped images, bilinear between pixels: (B, C, H, W) -> (B, C, H, W)."""
    grid = F.affine_grid(maps.inverse(*x.shape[2:]), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode=padding, align_corners=False)


@dataclass(frozen=True)
class Augmented:
    """Maps the first ``share`` of a batch, then goes on with ``prepare``.

    ``rounded`` takes mapped images back to whole levels, for values on a grid; without it they stay between the levels,
    where they are the probability of a binarisation.
    """

    spec: Augmentation
    prepare: Prepare
    rounded: bool

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the prepared data, partly mapped: (B, C, H, W) -> (B, C, H, W)."""
        count = math.ceil(self.spec.share * len(stored))
        levels = stored.float()
        moved = warped(levels[:count], self._drawn(count, levels.device, generator), self.spec.padding)
        levels[:count] = moved.round_() if self.rounded else moved
        return self.prepare(levels, generator)

    def _drawn(self, count: int, device: torch.device, generator: Generator | None) -> AffineMaps:
        spec = self.spec
        angle, shear, width, height, right, down = torch.rand(6, count, generator=generator, device=device).mul_(2).sub_(1)
        scale, shift = torch.stack((width, height), 1), torch.stack((right, down), 1)
        return AffineMaps(angle * spec.rotate, 1 + scale * spec.scale, shear * spec.shear, shift * spec.shift)
