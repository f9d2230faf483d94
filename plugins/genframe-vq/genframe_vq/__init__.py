"""genframe plugin: vector-quantised autoencoders."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import CodebookUse, CodeLength, FiniteScalar, LookupFree, QuantiserSpec, Quantizer, VqVae
from .traits import Quantisation, VectorQuantised

__all__ = [
    "CodeLength",
    "CodebookUse",
    "FiniteScalar",
    "LookupFree",
    "Quantisation",
    "QuantiserSpec",
    "Quantizer",
    "VectorQuantised",
    "VqVae",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoders, the loss and the metrics."""
    return [Quantizer, FiniteScalar, LookupFree, VqVae, CodebookUse, CodeLength]


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
