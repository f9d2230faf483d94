"""The built-in plugin ``core``: the parts that every family shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import specs as contract
from ..lazy import loaded_when_used
from ..plugins.hookspecs import hookimpl
from . import specs
from .kinds import DENSITIES, SAMPLINGS
from .specs import *  # each component is listed once, in specs

if TYPE_CHECKING:
    from .parts import StandardNormal as StandardNormal

__all__ = [*specs.__all__]

_LOADED_WHEN_USED = {"StandardNormal": "parts"}


@hookimpl
def genframe_specs() -> list[type[contract.ComponentSpec]]:
    """Return the core components, and the specs of modules of one's own, which no list shows."""
    return [*contract.components(specs), *contract.components(contract.module)]


@hookimpl
def genframe_kinds() -> list[contract.DensityKind | contract.SamplingKind]:
    """Return the built-in kinds of density and of sampling."""
    return [*DENSITIES, *SAMPLINGS]


__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
