"""What every other room speaks of: spaces, traits, values and errors. Nothing here imports torch."""

from __future__ import annotations

from . import captions, errors, report, spaces, text, trait, values
from .captions import *
from .errors import *
from .report import *
from .spaces import *
from .text import *
from .trait.base import *
from .trait.decoders import *
from .trait.encoders import *
from .trait.parts import *
from .trait.priors import *
from .trait.table import *
from .values import *

__all__ = [
    *captions.__all__,
    *errors.__all__,
    *report.__all__,
    *spaces.__all__,
    *text.__all__,
    *trait.__all__,
    *values.__all__,
]
