"""genframe plugin: plain encoders and decoders: mlp, conv, resnet, sngan, isotropic, unet, dit, embedding.

Importing this package does not import torch: the networks are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genframe import ComponentSpec, components, hookimpl

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


def __getattr__(name: str) -> Any:
    if name not in _LOADED_WHEN_USED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LOADED_WHEN_USED[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LOADED_WHEN_USED})
