"""Specs of the components. No torch."""

from __future__ import annotations

from . import decoders, losses, processes, samplers, walks
from .decoders import *
from .losses import *
from .processes import *
from .samplers import *
from .walks import *

__all__ = [*processes.__all__, *decoders.__all__, *losses.__all__, *walks.__all__, *samplers.__all__]
