"""genframe plugin: autoregressive models."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import AutoregressiveSpec, Made, PixelCNN, PixelRNN, SequentialSampling, TextEncoder, Transformer
from .traits import Sequential

__all__ = [
    "AutoregressiveSpec",
    "Made",
    "PixelCNN",
    "PixelRNN",
    "Sequential",
    "SequentialSampling",
    "TextEncoder",
    "Transformer",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the priors, the sampler and the encoder of text."""
    return [Made, PixelCNN, PixelRNN, Transformer, SequentialSampling, TextEncoder]


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on digits, text, captioned shapes, and on MNIST where that is at hand."""
    summaries = {
        "pixelcnn-digits": "a gated PixelCNN of 8x8 digits, in bits per dimension; minutes",
        "transformer-digits": "a transformer over the pixels of 8x8 digits, in bits per dimension; minutes",
        "pixelcnn-mnist": "a gated PixelCNN of binarised MNIST, in nats",
        "dalle-shapes": "pictures from captions: a VQ-VAE, then a transformer over its codes; 25 minutes",
        "char-shakespeare": "a transformer over the characters of a text, in bits per character; ten minutes",
    }
    return [Recipe(name, "genframe_autoregressive", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
