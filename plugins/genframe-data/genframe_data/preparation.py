"""How data on levels are prepared, as plain values. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from genframe import Real

from .augmentation import Augmentation, Jitter

__all__ = ["Binarise", "Preparation"]

Binarise: TypeAlias = Literal["none", "static", "dynamic", "threshold"]


@dataclass(frozen=True)
class Preparation:
    """What becomes of levels: binarised, dequantised, scaled to ``low`` and ``high``, augmented; ``seed`` draws once.

    ``window`` (H, W) is cut out of images that are stored larger, for training at random places.
    """

    binarise: Binarise = "none"
    dequantise: bool = False
    low: float = 0.0
    high: float = 1.0
    augment: Augmentation | None = None
    seed: int = 0
    flip: bool = False
    jitter: Jitter | None = None
    window: tuple[int, int] | None = None

    def space(self, shape: tuple[int, ...], levels: int) -> Real:
        """Return the space of data stored on ``levels`` levels, once they are prepared."""
        return Real(shape, self.low, self.high, 2 if self.binarise != "none" else levels, dequantised=self.dequantise)
