"""Where the cache lies, and how much it may hold."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

from ..types import StorageError

__all__ = ["cache_folder", "cache_limit"]

FOLDER: Final = "GENFRAME_CACHE"
LIMIT: Final = "GENFRAME_CACHE_LIMIT"
LIMIT_IF_UNSAID: Final = 50 << 30
UNITS: Final = {"K": 10, "M": 20, "G": 30, "T": 40}


def cache_folder() -> Path:
    """Return the folder of the cache: ``GENFRAME_CACHE``, or ``genframe`` in the platform's folder for caches.

    :raises StorageError: if there is no home to put it in.
    """
    said = os.environ.get(FOLDER)
    try:
        return Path(said).expanduser().absolute() if said else _of_platform() / "genframe"
    except RuntimeError as error:
        raise StorageError(f"there is no place for the cache: {error}; name a folder in {FOLDER}") from None


def _of_platform() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def cache_limit() -> int:
    """Return how many bytes the cache may hold: ``GENFRAME_CACHE_LIMIT``, such as ``500M`` or ``2T``, or 50 GiB.

    :raises StorageError: if the variable says something else.
    """
    said = os.environ.get(LIMIT)
    if not said:
        return LIMIT_IF_UNSAID
    found = re.fullmatch(r"([0-9]{1,12})([KMGT]?)(i?B)?", said.strip(), re.IGNORECASE)
    if found is None:
        raise StorageError(f"{LIMIT}: expected a number of bytes such as 500M or 2T, found {said!r}")
    return int(found[1]) << UNITS.get(found[2].upper(), 0)
