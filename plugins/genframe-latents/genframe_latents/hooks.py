"""The plugin's hooks, in a module of their own: ``genframe --help`` imports the package, which must stay small."""

from __future__ import annotations

from genframe import ComponentSpec, components, hookimpl

from . import specs

__all__ = ["genframe_specs"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the metrics of latents."""
    return components(specs)
