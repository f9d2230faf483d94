"""Whether parts make a model, what kind of model, and what would do instead. Nothing is built here."""

from __future__ import annotations

from . import flow, kinds, needs, suggestions
from .flow import *
from .kinds import *
from .needs import *
from .suggestions import *

__all__ = [*flow.__all__, *kinds.__all__, *needs.__all__, *suggestions.__all__]
