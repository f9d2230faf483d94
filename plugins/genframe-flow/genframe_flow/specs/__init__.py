"""Specs of the components. No torch."""

from __future__ import annotations

from . import autoregressive, coupling, dequantisation, metrics, multiscale, preprocessing, priors
from .autoregressive import *
from .coupling import *
from .dequantisation import *
from .metrics import *
from .multiscale import *
from .preprocessing import *
from .priors import *

__all__ = [
    *coupling.__all__,
    *multiscale.__all__,
    *autoregressive.__all__,
    *preprocessing.__all__,
    *dequantisation.__all__,
    *priors.__all__,
    *metrics.__all__,
]
