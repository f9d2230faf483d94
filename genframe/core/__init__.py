"""The built-in plugin ``core``: the parts that every family shares."""

from __future__ import annotations

from ..hookspecs import hookimpl
from ..specs import ComponentSpec
from .specs import (
    Ancestral,
    CategoricalPrior,
    IdentityDecoder,
    IdentityEncoder,
    Inverse,
    ModelPrior,
    NegativeLogLikelihood,
    Normal,
    OneHot,
    Sum,
)

__all__ = [
    "Ancestral",
    "CategoricalPrior",
    "IdentityDecoder",
    "IdentityEncoder",
    "Inverse",
    "ModelPrior",
    "NegativeLogLikelihood",
    "Normal",
    "OneHot",
    "Sum",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the core components."""
    return [
        IdentityEncoder,
        OneHot,
        IdentityDecoder,
        Inverse,
        Normal,
        CategoricalPrior,
        ModelPrior,
        NegativeLogLikelihood,
        Sum,
        Ancestral,
    ]
