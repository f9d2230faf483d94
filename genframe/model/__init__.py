"""A composed model, and what it can do whatever its family."""

from __future__ import annotations

from . import byhand, evaluation, likelihood, measurement, model, sampling, wrapping
from .byhand import *
from .evaluation import *
from .likelihood import *
from .measurement import *
from .model import *
from .sampling import *
from .wrapping import *

__all__ = [
    *byhand.__all__,
    *evaluation.__all__,
    *likelihood.__all__,
    *measurement.__all__,
    *model.__all__,
    *sampling.__all__,
    *wrapping.__all__,
]
