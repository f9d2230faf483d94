"""Specs of the components. No torch."""

from __future__ import annotations

from .base import AutoregressiveSpec
from .made import Made
from .raster import PixelCNN, PixelRNN
from .sampler import SequentialSampling
from .transformer import TextEncoder, Transformer

__all__ = ["AutoregressiveSpec", "Made", "PixelCNN", "PixelRNN", "SequentialSampling", "TextEncoder", "Transformer"]
