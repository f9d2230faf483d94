"""genframe plugin: plain encoders and decoders: mlp, conv, resnet, embedding."""

from __future__ import annotations

from genframe import ComponentSpec, hookimpl

from .activations import Activation, activation
from .specs import MLP, Conv, ConvDecoder, Embedding, MLPDecoder, MLPTied, ResNet, ResNetDecoder
from .traits import Transposable

__all__ = [
    "MLP",
    "Activation",
    "Conv",
    "ConvDecoder",
    "Embedding",
    "MLPDecoder",
    "MLPTied",
    "ResNet",
    "ResNetDecoder",
    "Transposable",
    "activation",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the networks."""
    return [MLP, MLPDecoder, MLPTied, Conv, ConvDecoder, ResNet, ResNetDecoder, Embedding]
