"""Specs: the typed descriptions of components, from which everything is checked and then built. No torch."""

from __future__ import annotations

from . import base, composition, dataset, kinds, metric, module, parts
from .base import *
from .composition import *
from .dataset import *
from .kinds import *
from .metric import *
from .module import *
from .parts import *

__all__ = [
    *base.__all__,
    *composition.__all__,
    *dataset.__all__,
    *kinds.__all__,
    *metric.__all__,
    *module.__all__,
    *parts.__all__,
]
