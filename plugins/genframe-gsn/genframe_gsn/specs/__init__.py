"""Specs of the components, one file a kind. No torch."""

from __future__ import annotations

from .encoders import Stochastic
from .losses import Walkback
from .samplers import Chain

__all__ = ["Chain", "Stochastic", "Walkback"]
