"""genframe plugin: autoregressive models.

Importing this package does not import torch: priors and the encoder of text are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs import *
from .traits import Sequential

if TYPE_CHECKING:
    from .alphabet import *
    from .blocks import *
    from .filtering import *
    from .made import *
    from .pixelcnn import *
    from .pixelrnn import *
    from .sampler import *
    from .text import *
    from .transformer import *

_LOADED_WHEN_USED = {
    "Alphabet": "alphabet",
    "Block": "blocks",
    "GatedStacks": "pixelcnn",
    "MadePrior": "made",
    "PixelCNNPrior": "pixelcnn",
    "PixelRNNPrior": "pixelrnn",
    "Rotary": "blocks",
    "RowLSTMs": "pixelrnn",
    "SequentialSampler": "sampler",
    "TextTransformer": "text",
    "TransformerPrior": "transformer",
    "adjusted": "filtering",
}

__all__ = [*specs.__all__, *_LOADED_WHEN_USED, "Sequential"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the priors, the sampler and the encoder of text."""
    return components(specs)


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


__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
