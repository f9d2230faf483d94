"""Traits: what a part can do beyond its role, as protocols that its implementation fulfils."""

from __future__ import annotations

from . import base, decoders, encoders, parts, priors, table
from .base import *
from .decoders import *
from .encoders import *
from .parts import *
from .priors import *
from .table import *

__all__ = [*base.__all__, *decoders.__all__, *encoders.__all__, *parts.__all__, *priors.__all__, *table.__all__]
