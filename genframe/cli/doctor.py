"""``genframe doctor``."""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

Finding = tuple[str, bool, str]

REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[.*?\])?\s*([^;]*?)\s*(;.*)?")
LEAST: Final = re.compile(r">=\s*([\d.]+)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print what is in order and what is not; exit with 1 if anything is not."""
    from .output import print_json, print_table

    findings = list(_findings())
    if options.json:
        print_json([{"what": what, "ok": ok, "found": found} for what, ok, found in findings])
    else:
        print_table(["", "", ""], [["ok" if ok else "NOT OK", what, found] for what, ok, found in findings])
    return 0 if all(ok for _, ok, _ in findings) else 1


def _findings() -> Iterator[Finding]:
    yield "python", sys.version_info >= (3, 11), platform.python_version()
    yield from _plugins()
    yield from _dependencies()
    yield from _torch()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield "disk", free > 1, f"{free:.1f} GiB free here"


def _plugins() -> Iterator[Finding]:
    from ..plugins.discovery import installed

    for plugin in installed().plugins:
        found = plugin.reason or "; ".join(plugin.notes) or f"{len(plugin.specs)} components"
        yield f"plugin {plugin.name}", plugin.status != "broken" and not plugin.notes, found


def _dependencies() -> Iterator[Finding]:
    """Compare installed versions with what genframe and each plugin ask for."""
    from ..plugins.discovery import installed

    distributions = dict.fromkeys(["genframe", *(plugin.distribution for plugin in installed().plugins)])
    texts = [text for distribution in distributions for text in _requirements(distribution)]
    for text in dict.fromkeys(texts):
        found = REQUIREMENT.fullmatch(text)
        if found is not None and not found[3]:  # one with a marker may be for another system
            yield _dependency(found[1], found[2])


def _requirements(distribution: str) -> list[str]:
    try:
        return metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return []


def _dependency(name: str, wanted: str) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, False, f"not installed, needs {name}{wanted}; try: pip install '{name}{wanted}'"
    least = LEAST.search(wanted)
    return name, least is None or _release(version) >= _release(least[1]), f"{version}, needs {wanted or 'any'}"


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield "torch", False, f"cannot be imported: {error}"
        return
    a = torch.ones(64, 64)
    yield "matrix product", bool((a @ a == 64).all()), f"{torch.get_num_threads()} threads"
    yield "device", True, torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
