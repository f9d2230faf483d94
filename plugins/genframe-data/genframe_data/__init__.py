"""genframe plugin: data sets: digits, toys, idx, npz, image folders, tables, text, shapes, tensors, labels and stacks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genframe import ComponentSpec, hookimpl

from .augmentation import Augmentation
from .derived import Labels, Stacked
from .shapes import Shapes
from .specs import Digits, Idx, Images, Npz, Table, Toy
from .text import Text
from .vocabularies import Vocabulary, read_vocabulary

if TYPE_CHECKING:
    from .drawing import attributes_right, explained_share, read_captions, read_shapes
    from .memory import from_tensors

__all__ = [
    "Augmentation",
    "Digits",
    "Idx",
    "Images",
    "Labels",
    "Npz",
    "Shapes",
    "Stacked",
    "Table",
    "Text",
    "Toy",
    "Vocabulary",
    "attributes_right",
    "explained_share",
    "from_tensors",
    "read_captions",
    "read_shapes",
    "read_vocabulary",
]


_LOADED_WHEN_USED = {
    "from_tensors": "memory",
    **dict.fromkeys(("attributes_right", "explained_share", "read_captions", "read_shapes"), "drawing"),
}


def __getattr__(name: str) -> Any:
    if name not in _LOADED_WHEN_USED:
        raise AttributeError(f"module 'genframe_data' has no attribute {name!r}")
    return getattr(import_module(f".{_LOADED_WHEN_USED[name]}", __name__), name)


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the data sets."""
    return [Digits, Toy, Idx, Npz, Images, Table, Text, Shapes, Labels, Stacked]
