"""Specs of the networks, one file each. No torch."""

from __future__ import annotations

from .conv import Conv, ConvDecoder
from .embedding import Embedding
from .mlp import MLP, MLPDecoder
from .resnet import ResNet, ResNetDecoder
from .tied import MLPTied

__all__ = ["MLP", "Conv", "ConvDecoder", "Embedding", "MLPDecoder", "MLPTied", "ResNet", "ResNetDecoder"]
