"""``genframe reconstruct``."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("-n", type=int, default=16, help="how many data, the first of the split")
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--out", type=Path, help="the picture: each datum above its reconstruction")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Encode and decode the first data of a split, and draw both."""
    import torch

    from .. import picture
    from ..experiment.run import load
    from ..roles import generator_for
    from .output import print_json

    trained = load(options.run)
    split = trained.experiment.data.load().split(options.split or trained.experiment.evaluate.split)
    batch = split.batch(slice(0, options.n), generator_for("cpu", trained.experiment.evaluate.seed))
    with torch.no_grad():
        reconstructed = trained.model.reconstruct(batch.x, batch.condition)
    error = float((batch.x - reconstructed).square().flatten(1).sum(1).mean())
    path = options.out or options.run / "samples" / f"step-{trained.step:08d}-reconstructions.png"
    space = trained.model.composition.data
    x, arranged = picture.pairs(batch.x, reconstructed, space)
    picture.save(path, x, arranged, {"run": str(options.run.resolve()), "checkpoint": trained.checkpoint, "split": split.name})
    if options.json:
        print_json({"out": str(path), "squared_error": error, "n": len(batch.x), "split": split.name})
    else:
        print(f"{path}\nsquared error of a datum: {error:.5g}")
