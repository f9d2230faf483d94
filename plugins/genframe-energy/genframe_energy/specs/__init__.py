"""Specs of Boltzmann machines, energy models, and what trains, draws from and measures them. No torch."""

from . import losses, metrics, priors, samplers, stack
from .losses import *
from .metrics import *
from .priors import *
from .samplers import *
from .stack import *

__all__ = [*stack.__all__, *priors.__all__, *losses.__all__, *samplers.__all__, *metrics.__all__]
