"""``genframe report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from genframe.cli.runs import add_arguments, add_data_arguments, make_room, opened
from genframe.cli.values import natural, page


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument("--out", type=page, metavar="FILE", help="an .html file; report.html in the run's folder if left out")
    parser.add_argument("--seed", type=natural, default=1, help="seed of the fresh samples; training's pictures have seed 0")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Write the page, and say where it is and what it could not show."""
    from genframe.cli.output import print_json, say

    from ..document import report

    made = report(opened(options.run, options.device, allow_changed_data=options.allow_changed_data), seed=options.seed)
    path: Path = options.out or options.run / "report.html"
    make_room(path)
    made.save(path)
    for name, reasons in made.absent.items():
        for reason in reasons:
            say(f"{name.lower()}: {reason}")
    if options.json:
        print_json({"out": str(path), "bytes": path.stat().st_size, "absent": made.absent})
    else:
        print(path)
