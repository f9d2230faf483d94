"""Specs of the core components."""

from __future__ import annotations

from . import losses, parts, samplers
from .losses import *
from .parts import *
from .samplers import *

__all__ = [*parts.__all__, *losses.__all__, *samplers.__all__]
