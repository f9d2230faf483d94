"""``genframe show``."""

from __future__ import annotations

import argparse
import json
from typing import Any


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("component", metavar="COMPONENT", help="such as vae/gaussian")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print fields, defaults, traits and paper of every component of that name."""
    from ..plugins.discovery import installed
    from .describe import full
    from .output import print_json

    described = []
    for spec in installed().named(options.component):
        plugin = installed().plugin_of(spec)
        described.append(full(spec, f"{plugin.distribution} {plugin.version}" if plugin else ""))
    if options.json:
        print_json(described)
        return
    for number, component in enumerate(described):
        print("\n" * (number > 0), end="")
        _print(component)


def _print(component: dict[str, Any]) -> None:
    from .output import print_table

    print(f"{component['name']} ({component['kind']}, from {component['plugin']})\n")
    print(component["documentation"] + "\n")
    if component["provides"]:
        print(f"provides: {', '.join(component['provides'])}")
    for role, traits in component["needs"].items():
        print(f"needs: {role}" + (f" with {', '.join(traits)}" if traits else ""))
    rows = [
        [field["name"], field["type"], "required" if field["required"] else _shown(field["default"]), field["description"]]
        for field in component["fields"]
    ]
    print_table(["field", "type", "default", "what it is"], rows)


def _shown(value: Any) -> str:
    """Return a default as it would stand in a file; a component with nothing but a type by its name."""
    if isinstance(value, dict) and list(value) == ["type"]:
        return str(value["type"])
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
