"""What the machine has: memory and disk, as far as the system tells."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

__all__ = ["available_memory", "is_out_of_memory"]

_LIMIT_OF_GROUP = Path("/sys/fs/cgroup/memory.max")
_USED_BY_GROUP = Path("/sys/fs/cgroup/memory.current")


def available_memory(device: torch.device) -> int | None:
    """Return how many bytes a training can still get on the device; ``None`` where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min((found for found in (_of_system(), _of_group(), _of_process()) if found is not None), default=None)


def _of_system() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        pass
    if sys.platform == "win32":
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_group() -> int | None:
    try:
        return int(_LIMIT_OF_GROUP.read_text()) - int(_USED_BY_GROUP.read_text())
    except (OSError, ValueError):  # there is no such group, or its limit is "max"
        return None


def _of_process() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an allocation failed."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)  # what torch raises on a CPU
    )
