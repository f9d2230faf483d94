"""Specs of the components. No torch."""

from __future__ import annotations

from . import autoregressive, coupling, dequantisation, metrics, multiscale, preprocessing, priors
from .autoregressive import *  # noqa: F403
from .coupling import *  # noqa: F403
from .dequantisation import *  # noqa: F403
from .metrics import *  # noqa: F403
from .multiscale import *  # noqa: F403
from .preprocessing import *  # noqa: F403
from .priors import *  # noqa: F403

__all__ = [
    *coupling.__all__,
    *multiscale.__all__,
    *autoregressive.__all__,
    *preprocessing.__all__,
    *dequantisation.__all__,
    *priors.__all__,
    *metrics.__all__,
]
