"""Specs of the networks. No torch."""

from __future__ import annotations

from . import convolutions, same_grid, vectors
from .convolutions import *
from .same_grid import *
from .vectors import *

__all__ = [*vectors.__all__, *convolutions.__all__, *same_grid.__all__]
