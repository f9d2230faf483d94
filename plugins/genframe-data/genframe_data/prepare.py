"""Preparations: pure functions from stored values to those that a model sees.

Each takes stored data (B, ...), whole numbers ``k`` in ``0 .. levels - 1`` as uint8 or a table's floats, and gives float32 of
the same shape. They are a few tensor operations without branches on data, made for the innermost loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor

__all__ = ["Binarised", "Dequantised", "Jittered", "Scaled"]

BELOW_ONE: Final = 1 - 2**-16
"""Shrinks noise so that in float32, with up to 256 levels, level + noise never rounds up into the next bin."""


@dataclass(frozen=True)
class Scaled:
    """Level k becomes ``low + (high - low) k / (levels - 1)``."""

    levels: int
    low: float = 0.0
    high: float = 1.0

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the scaled data: (B, ...) -> (B, ...)."""
        step = (self.levels - 1) / (self.high - self.low)
        scaled = stored.float() if step == 1 else stored.div(step)
        return scaled.add_(self.low) if self.low else scaled


@dataclass(frozen=True)
class Dequantised:
    """Level k becomes ``low + (high - low) (k + u) / levels`` with u uniform on [0, 1). Theis et al. 2015, sec. 3.1.

    The noise is narrower than a bin by 2⁻¹⁶, so that data stay in their bins in float32: 0.00002 bits per dimension.
    """

    levels: int
    low: float = 0.0
    high: float = 1.0

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the data with noise drawn anew: (B, ...) -> (B, ...)."""
        noise = torch.rand(stored.shape, generator=generator, device=stored.device)
        noisy = noise.mul_(BELOW_ONE).add_(stored).div_(self.levels / (self.high - self.low))  # division rounds monotonically
        return noisy.add_(self.low) if self.low else noisy


@dataclass(frozen=True)
class Jittered:
    """x becomes x + (u - 1/2) step with u uniform on [0, 1): rounded numbers spread over all that is rounded to them."""

    steps: tuple[float, ...]

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return the data with noise drawn anew: (B, D) -> (B, D)."""
        noise = torch.rand(stored.shape, generator=generator, device=stored.device)
        return noise.sub_(0.5).mul_(torch.tensor(self.steps, device=stored.device)).add_(stored)


@dataclass(frozen=True)
class Binarised:
    """Level k becomes 1 with probability ``k / (levels - 1)``, else 0. Burda et al. 2015, sec. 5.

    A comparison with uniform noise: on a CPU a batch takes 0.7 of the time that it takes by ``torch.bernoulli``.
    """

    levels: int

    def __call__(self, stored: Tensor, generator: Generator | None) -> Tensor:
        """Return zeros and ones drawn anew: (B, ...) -> (B, ...)."""
        noise = torch.rand(stored.shape, generator=generator, device=stored.device)
        return noise.mul_(self.levels - 1).lt_(stored)
