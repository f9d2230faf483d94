"""Specs of the components, one file per kind. No torch."""

from __future__ import annotations

from . import decoders, encoders, losses, priors
from .decoders import *
from .encoders import *
from .losses import *
from .priors import *

__all__ = [*encoders.__all__, *decoders.__all__, *priors.__all__, *losses.__all__]
