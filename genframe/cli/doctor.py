"""``genframe doctor``."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path


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


def _findings() -> Iterator[tuple[str, bool, str]]:
    yield "python", sys.version_info >= (3, 11), platform.python_version()
    yield from _dependencies()
    yield from _plugins()
    yield from _torch()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield "disk", free > 1, f"{free:.1f} GiB free here"


def _dependencies() -> Iterator[tuple[str, bool, str]]:
    """Compare installed versions with what genframe's own metadata asks for."""
    from packaging.requirements import Requirement

    for text in metadata.requires("genframe") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield requirement.name, False, f"not installed, needs {requirement.specifier}"
            continue
        yield (
            requirement.name,
            requirement.specifier.contains(version, prereleases=True),
            f"{version}, needs {requirement.specifier}",
        )


def _plugins() -> Iterator[tuple[str, bool, str]]:
    from ..plugins import installed

    for plugin in installed().plugins:
        found = plugin.reason or "; ".join(plugin.notes) or f"{len(plugin.specs)} components"
        yield f"plugin {plugin.name}", plugin.status != "broken" and not plugin.notes, found


def _torch() -> Iterator[tuple[str, bool, str]]:
    try:
        import torch
    except Exception as error:
        yield "torch", False, f"cannot be imported: {error}"
        return
    a = torch.ones(64, 64)
    yield "matrix product", bool((a @ a == 64).all()), f"{torch.get_num_threads()} threads"
    yield "device", True, torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
