"""The built-in plugin ``core``: the parts that every family shares."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..hookspecs import hookimpl
from ..specs import ComponentSpec, components
from . import module, specs
from .specs import *  # each component is listed once, in specs

if TYPE_CHECKING:
    from .parts import StandardNormal as StandardNormal

__all__ = [*specs.__all__]

_LOADED_WHEN_USED = {"StandardNormal": "parts"}


def __getattr__(name: str) -> Any:
    if name not in _LOADED_WHEN_USED:
        raise AttributeError(f"module 'genframe.core' has no attribute {name!r}")
    return getattr(import_module(f".{_LOADED_WHEN_USED[name]}", __name__), name)


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the core components, and the specs of modules of one's own, which no list shows."""
    return [*components(specs), *components(module)]
