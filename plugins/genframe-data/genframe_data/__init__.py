"""genframe plugin: datasets from files, pictures, tables, text, and drawn ones.

Names are loaded when they are first used, so importing this imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe.lazy import loaded_when_used

if TYPE_CHECKING:
    from .augmentation import Augmentation, Jitter
    from .derived import Labels, Stacked
    from .drawing import attributes_right, explained_share, read_captions, read_shapes
    from .memory import from_tensors
    from .shapes import Shapes
    from .specs import Clips, Digits, HuggingFace, Idx, Images, Npz, Shards, Table, Toy, Volumes
    from .text import Text
    from .vocabularies import Vocabulary, read_vocabulary

__all__ = [
    "Augmentation",
    "Clips",
    "Digits",
    "HuggingFace",
    "Idx",
    "Images",
    "Jitter",
    "Labels",
    "Npz",
    "Shapes",
    "Shards",
    "Stacked",
    "Table",
    "Text",
    "Toy",
    "Vocabulary",
    "Volumes",
    "attributes_right",
    "explained_share",
    "from_tensors",
    "read_captions",
    "read_shapes",
    "read_vocabulary",
]

_LOADED_WHEN_USED = {
    **dict.fromkeys(("Augmentation", "Jitter"), "augmentation"),
    **dict.fromkeys(("Labels", "Stacked"), "derived"),
    **dict.fromkeys(("attributes_right", "explained_share", "read_captions", "read_shapes"), "drawing"),
    "from_tensors": "memory",
    "Shapes": "shapes",
    **dict.fromkeys(("Clips", "Digits", "HuggingFace", "Idx", "Images", "Npz", "Shards", "Table", "Toy", "Volumes"), "specs"),
    "Text": "text",
    **dict.fromkeys(("Vocabulary", "read_vocabulary"), "vocabularies"),
}

__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
