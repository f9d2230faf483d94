"""What a result depends on besides its experiment: versions, machine and threads."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import torch

from ..plugins import installed
from ..types import CheckpointError
from .reporter import Reporter

__all__ = ["compare", "describe", "pick_device", "threads"]


def describe(thread_count: int) -> dict[str, Any]:
    """Return the environment as plain data, for environment.json and for every checkpoint."""
    return {
        **_decisive(),
        "threads": thread_count,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _decisive() -> dict[str, Any]:
    """Return that part of the environment on which bits depend; threads are restored, so they are not in it."""
    plugins = {plugin.distribution: plugin.version for plugin in installed().plugins if plugin.status == "ok"}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"torch": torch.__version__, "device": device, "plugins": plugins}


def compare(saved: Mapping[str, Any], thread_count: int, reporter: Reporter, *, require_exact: bool) -> None:
    """Say in one line what differs from the ``saved`` environment.

    :raises CheckpointError: with ``require_exact``, where anything differs.
    """
    before, now = _flat(saved), _flat({**_decisive(), "threads": thread_count})
    names = [name for name in (now | before) if before.get(name) != now.get(name)]
    different = [f"{name} was {before.get(name, 'absent')} and is {now.get(name, 'absent')}" for name in names]
    if not different:
        return
    message = f"going on, but not bit for bit: {'; '.join(different)}"
    if require_exact:
        raise CheckpointError(message.replace("going on, but not", "cannot go on"))
    reporter.message(message)


def _flat(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values on which bits depend, with the version of each plugin."""
    return {name: described.get(name) for name in ("torch", "device", "threads")} | dict(described.get("plugins") or {})


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with ``count`` CPU threads as long as the context lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pick_device(name: str) -> torch.device:
    """Return the device of a spec's ``device``; ``auto`` is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
