"""What was computed once and is kept on disk: decoded pictures, codes of a frozen encoder. Loaded when used; no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loaded_when_used

if TYPE_CHECKING:
    from .build import Building as Building
    from .build import building as building
    from .entry import Entry as Entry
    from .entry import cache_key as cache_key
    from .entry import clear_cache as clear_cache
    from .entry import entries as entries
    from .entry import find_entry as find_entry
    from .place import cache_folder as cache_folder
    from .place import cache_limit as cache_limit
    from .stored import StoredRows as StoredRows
    from .telling import progress as progress
    from .telling import showing_progress as showing_progress

_LOADED_WHEN_USED = {
    "Building": "build",
    "building": "build",
    "Entry": "entry",
    "cache_key": "entry",
    "clear_cache": "entry",
    "entries": "entry",
    "find_entry": "entry",
    "cache_folder": "place",
    "cache_limit": "place",
    "progress": "telling",
    "showing_progress": "telling",
    "StoredRows": "stored",
}

__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
