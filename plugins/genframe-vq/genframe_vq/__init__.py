"""genframe plugin: vector-quantised autoencoders.

Importing this package does not import torch: the implementations are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs import *
from .traits import Quantisation, VectorQuantised

if TYPE_CHECKING:
    from .codebook import Codebook, Learning
    from .encoders import QuantisedEncoder
    from .losses import VqVaeLoss
    from .metrics import CodebookMetric, CodeLengthMetric
    from .quantisers import Quantiser, Residual, VectorQuantiser
    from .scalars import ScalarQuantiser, SignQuantiser

__all__ = [
    *specs.__all__,
    "CodeLengthMetric",
    "Codebook",
    "CodebookMetric",
    "Learning",
    "Quantisation",
    "QuantisedEncoder",
    "Quantiser",
    "Residual",
    "ScalarQuantiser",
    "SignQuantiser",
    "VectorQuantised",
    "VectorQuantiser",
    "VqVaeLoss",
]

_LOADED_WHEN_USED = {
    "codebook": ("Codebook", "Learning"),
    "encoders": ("QuantisedEncoder",),
    "losses": ("VqVaeLoss",),
    "metrics": ("CodeLengthMetric", "CodebookMetric"),
    "quantisers": ("Quantiser", "Residual", "VectorQuantiser"),
    "scalars": ("ScalarQuantiser", "SignQuantiser"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoders, the loss and the metrics."""
    return components(specs)


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on digits, and on Fashion-MNIST where that is at hand."""
    summaries = {
        "vqvae-digits": "8x8 digits as 2x2 codes of 256, in bits per dimension by a two-part code; a minute",
        "vqgan-digits": "8x8 digits as 2x2 codes of 256, with a critic and a classifier's features; needs digits-classifier",
        "vqvae-fashion": "Fashion-MNIST as 7x7 codes of 512",
        "vq-transformer-fashion": "Fashion-MNIST as 7x7 codes of 512, then a transformer over them; by class",
    }
    return [Recipe(name, "genframe_vq", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
