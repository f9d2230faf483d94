"""genframe plugin: generative stochastic networks.

Importing this package does not import torch: the implementations are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs import *
from .traits import Corrupting

if TYPE_CHECKING:
    from .encoders import StochasticEncoder
    from .losses import WalkbackLoss
    from .samplers import ChainSampler, chain

__all__ = [*specs.__all__, "ChainSampler", "Corrupting", "StochasticEncoder", "WalkbackLoss", "chain"]

_LOADED_WHEN_USED = {
    "encoders": ("StochasticEncoder",),
    "losses": ("WalkbackLoss",),
    "samplers": ("ChainSampler", "chain"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoder, the loss and the sampler."""
    return components(specs)


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on digits, and on MNIST where that is at hand."""
    summaries = {
        "gsn-digits": "a generative stochastic network of 8x8 digits, with its Parzen-window likelihood; a minute",
        "gsn-mnist": "the same of MNIST, to compare with the results of 2014; less than half an hour",
    }
    return [Recipe(name, "genframe_gsn", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
