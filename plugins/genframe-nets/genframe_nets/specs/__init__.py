"""Specs of the networks, one file each. No torch."""

from __future__ import annotations

from .conv import Conv, ConvDecoder
from .dit import DiT
from .embedding import Embedding
from .isotropic import IsotropicDecoder
from .mlp import MLP, MLPDecoder
from .resnet import ResNet, ResNetDecoder
from .sngan import SNGAN, SNGANDecoder
from .tied import MLPTied
from .unet import UNet

__all__ = [
    "MLP",
    "SNGAN",
    "Conv",
    "ConvDecoder",
    "DiT",
    "Embedding",
    "IsotropicDecoder",
    "MLPDecoder",
    "MLPTied",
    "ResNet",
    "ResNetDecoder",
    "SNGANDecoder",
    "UNet",
]
