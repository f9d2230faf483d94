"""Specs of the components. No torch."""

from __future__ import annotations

from .autoregressive import Iaf, Maf
from .coupling import Nice, RealNvp
from .dequantisation import Dequantise, Quantise
from .glow import Glow
from .metrics import Inversion
from .preprocessing import Logit, Scaling, Whitening
from .priors import LearnedGaussian, Logistic
from .sequence import FlowSequence
from .spline import Spline

__all__ = [
    "Dequantise",
    "FlowSequence",
    "Glow",
    "Iaf",
    "Inversion",
    "LearnedGaussian",
    "Logistic",
    "Logit",
    "Maf",
    "Nice",
    "Quantise",
    "RealNvp",
    "Scaling",
    "Spline",
    "Whitening",
]
