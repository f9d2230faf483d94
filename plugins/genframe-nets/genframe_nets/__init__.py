"""genframe plugin: plain encoders and decoders: mlp, conv, resnet, sngan, isotropic, unet, dit, embedding.

Importing this package does not import torch: the networks are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .activations import Activation, activation
from .specs.convolutions import *
from .specs.same_grid import *
from .specs.vectors import *
from .traits import Transposable

if TYPE_CHECKING:
    from .conv import *
    from .dit import *
    from .embedding import *
    from .isotropic import *
    from .masked import *
    from .mlp import *
    from .resnet import *
    from .sngan import *
    from .tied import *
    from .unet import *

_LOADED_WHEN_USED = {
    "AveragingEncoder": "sngan",
    "ConvolutionalDecoder": "conv",
    "ConvolutionalEncoder": "conv",
    "DiffusionTransformer": "dit",
    "EmbeddingTable": "embedding",
    "GridDecoder": "isotropic",
    "MaskedLinear": "masked",
    "MaskedPerceptron": "masked",
    "PerceptronDecoder": "mlp",
    "PerceptronEncoder": "mlp",
    "RepeatingDecoder": "sngan",
    "ResidualDecoder": "resnet",
    "ResidualEncoder": "resnet",
    "TimedPerceptronDecoder": "mlp",
    "TransposedDecoder": "tied",
    "UNetDecoder": "unet",
}

__all__ = [*specs.__all__, *_LOADED_WHEN_USED, "Activation", "Transposable", "activation"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the networks."""
    return components(specs)


__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
