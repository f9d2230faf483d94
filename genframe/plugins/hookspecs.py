"""The hooks of a plugin: this file is the contract between genframe and every plugin.

A plugin is a distribution with one entry point in the group ``genframe.v1``. The entry point's name is
the namespace of the plugin's types; its value is a module that implements the hooks below with
:data:`hookimpl` and does not import torch.
"""

from __future__ import annotations

import pluggy

from ..specs.base import ComponentSpec
from ..specs.kinds import DensityKind, SamplingKind
from .recipes import Recipe

__all__ = ["API", "ENTRY_POINT_GROUP", "genframe_kinds", "genframe_recipes", "genframe_specs", "hookimpl"]

API = "v1"
ENTRY_POINT_GROUP = f"genframe.{API}"

hookspec = pluggy.HookspecMarker("genframe")
hookimpl = pluggy.HookimplMarker("genframe")


@hookspec
def genframe_specs() -> list[type[ComponentSpec]]:  # type: ignore[empty-body]
    """Return the spec classes of all components, of every kind."""


@hookspec
def genframe_recipes() -> list[Recipe]:  # type: ignore[empty-body]
    """Return the experiments that the plugin ships."""


@hookspec
def genframe_kinds() -> list[DensityKind | SamplingKind]:  # type: ignore[empty-body]
    """Return the kinds of density and of sampling that the plugin adds to those of genframe."""
