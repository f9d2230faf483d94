"""Specs of the plugin's components. No torch."""

from . import criteria, encoders
from .criteria import *
from .encoders import *

__all__ = [*encoders.__all__, *criteria.__all__]
