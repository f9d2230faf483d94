"""``genframe schema``."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, help="a file to write; standard output if left out")


def run(options: argparse.Namespace) -> None:
    """Print or write the JSON Schema of experiments."""
    from ..experiment.document.schema import schema_text
    from ..output.files import storing

    if options.out is None:
        print(schema_text(), end="")
        return
    with storing(options.out):
        options.out.write_text(schema_text(), encoding="utf-8")
    print(options.out)
