"""How plugins are found and loaded, and what they bring."""

from __future__ import annotations

from . import discovery, hookspecs, recipes, registry
from .discovery import *
from .hookspecs import *
from .recipes import *
from .registry import *

__all__ = [*discovery.__all__, *hookspecs.__all__, *recipes.__all__, *registry.__all__]
