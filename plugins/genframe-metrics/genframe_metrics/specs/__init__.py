"""Specs of the metrics, and of the loss over features. No torch."""

from __future__ import annotations

from . import cost, distances, likelihoods, modes, reconstruction
from .cost import *
from .distances import *
from .likelihoods import *
from .modes import *
from .reconstruction import *

__all__ = [*cost.__all__, *distances.__all__, *likelihoods.__all__, *modes.__all__, *reconstruction.__all__]
