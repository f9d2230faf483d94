"""``genframe list``."""

from __future__ import annotations

import argparse

from ..specs.base import KINDS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("kind", nargs="?", choices=KINDS, help="only this kind")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print every installed component, by kind."""
    from ..plugins.discovery import installed
    from .describe import brief, summary
    from .output import print_json, print_table

    specs = [spec for spec in installed().components() if options.kind in (None, spec.kind)]
    if options.json:
        print_json([brief(spec) for spec in specs])
    else:
        print_table(["kind", "component", "what it is"], [[s.kind, s.type_name(), summary(s)] for s in specs])
