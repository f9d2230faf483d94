"""genframe plugin: plain encoders and decoders: mlp, conv, resnet, sngan, isotropic, unet, dit, embedding."""

from __future__ import annotations

from genframe import ComponentSpec, hookimpl

from .activations import Activation, activation
from .specs import (
    MLP,
    SNGAN,
    Conv,
    ConvDecoder,
    DiT,
    Embedding,
    IsotropicDecoder,
    MLPDecoder,
    MLPTied,
    ResNet,
    ResNetDecoder,
    SNGANDecoder,
    UNet,
)
from .traits import Transposable

__all__ = [
    "MLP",
    "SNGAN",
    "Activation",
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
    "Transposable",
    "UNet",
    "activation",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the networks."""
    return [
        MLP,
        MLPDecoder,
        MLPTied,
        Conv,
        ConvDecoder,
        ResNet,
        ResNetDecoder,
        SNGAN,
        SNGANDecoder,
        IsotropicDecoder,
        UNet,
        DiT,
        Embedding,
    ]
