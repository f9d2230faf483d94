"""Specs of the components. No torch."""

from __future__ import annotations

from . import losses, spectral
from .losses import *
from .spectral import *

__all__ = [*spectral.__all__, *losses.__all__]
