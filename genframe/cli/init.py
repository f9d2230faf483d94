"""``genframe init``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..types.errors import RunError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe to start from")
    parser.add_argument("file", type=Path, nargs="?", help="the file to write; RECIPE.yaml if left out")


def run(options: argparse.Namespace) -> None:
    """Write the recipe's text with the line that tells editors its schema, and the schema beside it."""
    from ..experiment.document.loading import recipe_text
    from ..experiment.document.schema import schema_text
    from ..output.files import storing

    text = recipe_text(options.recipe)
    path = options.file or Path(f"{options.recipe}.yaml")
    if path.exists():
        raise RunError(f"{path} is there already; name another file")
    schema = path.with_name("genframe.schema.json")
    with storing(path.parent):
        schema.write_text(schema_text(), encoding="utf-8")
        path.write_text(f"# yaml-language-server: $schema={schema.name}\n{text}", encoding="utf-8")
    print(f"{path}\nnext:\n  genframe check {path} --explain\n  genframe train {path}")
