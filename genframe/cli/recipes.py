"""``genframe recipes``."""

from __future__ import annotations

import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print every recipe."""
    from ..plugins.discovery import installed
    from .output import print_json, print_table

    recipes = [recipe for _, recipe in sorted(installed().recipes.items())]
    if options.json:
        print_json([{"name": recipe.name, "package": recipe.package, "summary": recipe.summary} for recipe in recipes])
    else:
        print_table(["recipe", ""], [[recipe.name, recipe.summary] for recipe in recipes])
