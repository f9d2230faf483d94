"""The built-in plugin ``core``: the parts that every family shares."""

from __future__ import annotations

from ..hookspecs import hookimpl
from ..specs import ComponentSpec, components
from . import module, specs
from .specs import *

__all__ = [*specs.__all__]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the core components, and the specs of modules of one's own, which no list shows."""
    return [*components(specs), *components(module)]
