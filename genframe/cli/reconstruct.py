"""``genframe reconstruct``."""

from __future__ import annotations

import argparse

from .runs import add_arguments, add_data_arguments, make_room, opened
from .values import count, picture


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument("-n", type=count, default=20, help="how many data, the first of the split")
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--out", type=picture, metavar="PICTURE", help="a .png file: each example above its reconstruction")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Encode and decode the first data of a split, and draw both."""
    from ..experiment.run.reconstruction import reconstruct
    from ..output.picture import pairs, write
    from .output import print_json

    trained = opened(options.run, options.device, allow_changed_data=options.allow_changed_data)
    found = reconstruct(trained, options.n, options.split)
    path = options.out or options.run / "samples" / f"step-{trained.step:08d}-reconstructions.png"
    make_room(path)
    info = {"run": str(options.run.resolve()), "checkpoint": trained.checkpoint, "split": found.split, "n": len(found.x)}
    write(path, pairs(found.x, found.y, trained.model.composition.data), info)
    if options.json:
        print_json({"out": str(path), found.error_name.replace(" ", "_"): found.error, "n": len(found.x), "split": found.split})
    else:
        print(f"{path}\n{found.error_name}: {found.error:.5g} (mean of {len(found.x)} data of the {found.split} split)")
