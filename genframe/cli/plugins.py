"""``genframe plugins``."""

from __future__ import annotations

import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print every plugin, and why one is not in use."""
    from ..plugins.discovery import installed
    from .output import print_json, print_table

    plugins = installed().plugins
    if options.json:
        print_json(
            [
                {
                    "name": plugin.name,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "status": plugin.status,
                    "reason": plugin.reason,
                    "notes": plugin.notes,
                    "components": [spec.type_name() for spec in plugin.specs],
                    "recipes": [recipe.name for recipe in plugin.recipes],
                }
                for plugin in plugins
            ]
        )
        return
    rows = [
        [
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            plugin.status,
            plugin.reason or "; ".join(plugin.notes) or f"{len(plugin.specs)} components, {len(plugin.recipes)} recipes",
        ]
        for plugin in plugins
    ]
    print_table(["plugin", "distribution", "status", ""], rows)
