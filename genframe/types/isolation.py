"""Plugins are other people's code: they are found in metadata, loaded quietly, and a failure becomes one line."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from typing import TypeVar

__all__ = ["Point", "disabled", "entry_points", "quietly", "reason"]

T = TypeVar("T")


def disabled() -> frozenset[str]:
    """Return the namespaces that GENFRAME_DISABLE switches off."""
    return frozenset(name.strip() for name in os.environ.get("GENFRAME_DISABLE", "").split(",") if name.strip())


@dataclass(frozen=True)
class Point:
    """An entry point, with the name and the version of its distribution as well as its metadata say them."""

    distribution: str
    version: str
    entry: metadata.EntryPoint


def entry_points(wanted: Callable[[str], bool]) -> Iterator[Point]:
    """Yield the entry points of the ``wanted`` groups; nothing is imported."""
    for distribution in metadata.distributions():
        try:
            entries = [entry for entry in distribution.entry_points if wanted(entry.group)]
            known = distribution.metadata if entries else None
            name, version = (known["Name"], known["Version"]) if known else (None, None)
        except Exception:  # noqa: S112 - metadata that cannot be read names no plugin
            continue
        yield from (Point(name or "(no name in its metadata)", version or "?", entry) for entry in entries)


def quietly(action: Callable[[], T]) -> tuple[T, str]:
    """Return what ``action`` returns and what it printed, so that a chatty plugin does not spoil ``--json``."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        result = action()
    return result, output.getvalue()


def reason(error: BaseException) -> str:
    """Return the kind of an error and its message in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
