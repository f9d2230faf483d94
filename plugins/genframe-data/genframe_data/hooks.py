"""The plugin's hooks, in a module of their own: ``genframe --help`` imports the package, which must stay small."""

from __future__ import annotations

from genframe import ComponentSpec, hookimpl

from .derived import Labels, Stacked
from .shapes import Shapes
from .specs import Clips, Digits, HuggingFace, Idx, Images, Npz, Shards, Table, Toy, Volumes
from .text import Text

__all__ = ["genframe_specs"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the datasets."""
    return [Digits, Toy, Idx, Npz, Images, Shards, HuggingFace, Clips, Volumes, Table, Text, Shapes, Labels, Stacked]
