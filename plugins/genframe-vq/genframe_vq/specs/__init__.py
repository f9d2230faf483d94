"""Specs of the plugin's components. No torch."""

from .encoders import FiniteScalar, LookupFree, QuantiserSpec, Quantizer
from .losses import VqVae
from .metrics import CodebookUse, CodeLength

__all__ = ["CodeLength", "CodebookUse", "FiniteScalar", "LookupFree", "QuantiserSpec", "Quantizer", "VqVae"]
