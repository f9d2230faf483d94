"""The base classes of parts, data and metrics, as torch modules, and what they share."""

from __future__ import annotations

from . import data, heads, metric, parts, precision, random, rows
from .data import *
from .heads import *
from .metric import *
from .parts import *
from .precision import *
from .random import *
from .rows import *

__all__ = [
    *data.__all__,
    *heads.__all__,
    *metric.__all__,
    *parts.__all__,
    *precision.__all__,
    *random.__all__,
    *rows.__all__,
]
