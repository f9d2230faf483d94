"""genframe plugin: data sets: digits, toys, idx, npz, image folders, tables and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genframe import ComponentSpec, hookimpl

from .augmentation import Augmentation
from .specs import Digits, Idx, Images, Npz, Table, Toy

if TYPE_CHECKING:
    from .memory import from_tensors

__all__ = ["Augmentation", "Digits", "Idx", "Images", "Npz", "Table", "Toy", "from_tensors"]


def __getattr__(name: str) -> Any:
    if name != "from_tensors":
        raise AttributeError(f"module 'genframe_data' has no attribute {name!r}")
    from .memory import from_tensors

    return from_tensors


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the data sets."""
    return [Digits, Toy, Idx, Npz, Images, Table]
