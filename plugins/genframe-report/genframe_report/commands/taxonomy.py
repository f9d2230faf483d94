"""``genframe taxonomy``."""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.tree import Tree

    from ..taxonomy import Placed, Taxonomy


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", nargs="*", metavar="FILE_RECIPE_OR_RUN", help="what to place; every recipe if left out")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the tree with every composition in its place."""
    from genframe.cli.output import print_json

    from ..taxonomy import place, place_recipes

    found = place(options.sources) if options.sources else place_recipes()
    if options.json:
        placed = [{**vars(entry), "branch": entry.branch} for entry in found.placed]
        print_json({"placed": placed, "left_out": found.left_out})
    else:
        _print(found)


def _print(found: Taxonomy) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    from ..taxonomy import PARTS

    root = Tree(Text(f"models, by density and sampling  ({', '.join(PARTS)})"))
    _grow(root, found.placed, 0)
    if found.placed:
        Console(width=None if sys.stdout.isatty() else 10_000).print(root)
    else:
        print("no installed plugin has a recipe; name a file or a run")
    unread = sum(bool(entry.unread) for entry in found.placed)
    if unread:
        print(f"\n* {unread} of {len(found.placed)}: placed by the traits of the parts alone, because the dataset is not here")
    for name, reason in found.left_out.items():
        print(f"left out: {name}: {reason}")


def _grow(tree: Tree, placed: Iterable[Placed], depth: int) -> None:
    """Add the branches below ``depth``, each once, and the compositions at their ends."""
    from rich.text import Text

    for (label, ends), group in groupby(placed, lambda entry: (entry.branch[depth], len(entry.branch) == depth + 1)):
        branch = tree.add(Text(label, "bold"))
        if ends:
            for line in _leaves([*group]):
                branch.add(Text(line))
        else:
            _grow(branch, group, depth + 1)


def _leaves(placed: list[Placed]) -> Iterator[str]:
    """Yield one line per composition: its name, then its parts."""
    names = [entry.name + " *" * bool(entry.unread) for entry in placed]
    width = max(map(len, names))
    for name, entry in zip(names, placed, strict=True):
        yield f"{name:<{width}}  {', '.join(part or 'none' for part in entry.parts.values())}"
