"""Specs of the data sets."""

from __future__ import annotations

from .clips import Clips
from .huggingface import HuggingFace
from .images import Digits, Idx, Images
from .npz import Npz
from .shards import Shards
from .vectors import Table, Toy
from .volumes import Volumes

__all__ = ["Clips", "Digits", "HuggingFace", "Idx", "Images", "Npz", "Shards", "Table", "Toy", "Volumes"]
