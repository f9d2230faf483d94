"""genframe plugin: data sets: digits, toys, idx, npz, image folders, tables, text, shapes, tensors, labels and stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, hookimpl
from genframe.lazy import loaded_when_used

from .augmentation import Augmentation, Jitter
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
    "Jitter",
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


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the data sets."""
    return [Digits, Toy, Idx, Npz, Images, Table, Text, Shapes, Labels, Stacked]


__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
