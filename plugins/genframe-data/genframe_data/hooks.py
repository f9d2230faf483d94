"""The plugin's hooks, in a module of their own: ``genframe --help`` imports the package, which must stay small."""

from __future__ import annotations

from genframe import ComponentSpec, hookimpl

from .derived import Labels, Stacked
from .shapes import Shapes
from .specs import Digits, HuggingFace, Idx, Images, Npz, Shards, Table, Toy
from .text import Text

__all__ = ["genframe_specs"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the datasets."""
    return [Digits, Toy, Idx, Npz, Images, Shards, HuggingFace, Table, Text, Shapes, Labels, Stacked]
