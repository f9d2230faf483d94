"""``genframe reconstruct``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .runs import add_arguments, make_room, opened
from .values import count, picture

if TYPE_CHECKING:
    from torch import Tensor

    from ..spaces import Space


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_arguments(parser)
    parser.add_argument("-n", type=count, default=20, help="how many data, the first of the split")
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--out", type=picture, metavar="PICTURE", help="a .png file: each datum above its reconstruction")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Encode and decode the first data of a split, and draw both."""
    import torch

    from ..picture import pairs, write
    from ..roles import generator_for
    from .output import print_json

    trained = opened(options.run, options.device)
    spec, space = trained.experiment, trained.model.composition.data
    split = spec.data.load().split(options.split or spec.evaluate.split).to(trained.model.device)
    batch = split.batch(slice(0, options.n), generator_for(trained.model.device, spec.evaluate.seed))
    with torch.no_grad():
        y = trained.model.reconstruct(batch.x, batch.condition)
    path = options.out or options.run / "samples" / f"step-{trained.step:08d}-reconstructions.png"
    make_room(path)
    info = {"run": str(options.run.resolve()), "checkpoint": trained.checkpoint, "split": split.name, "n": len(batch.x)}
    write(path, pairs(batch.x, y, space), info)
    name, error = _error(batch.x, y, space)
    if options.json:
        print_json({"out": str(path), name.replace(" ", "_"): error, "n": len(batch.x), "split": split.name})
    else:
        print(f"{path}\n{name}: {error:.5g} (mean of {len(batch.x)} data of the {split.name} split)")


def _error(x: Tensor, y: Tensor, space: Space) -> tuple[str, float]:
    """Return what is compared, and its mean over the batch (B, data)."""
    from ..spaces import Real

    if isinstance(space, Real):
        return "squared error", float((x - y).square().flatten(1).sum(1).mean())
    return "wrong values", float((x != y).flatten(1).float().mean())
