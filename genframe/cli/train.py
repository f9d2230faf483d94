"""``genframe train``."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..experiment.reporting import Reporter
    from ..experiment.run import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="FILE_OR_RECIPE", help="a .yaml or .json file, or a recipe's name")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="such as train.lr=1e-3")
    parser.add_argument("--run", type=Path, help="the run's folder; runs/NAME if left out")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, and no progress")


def run(options: argparse.Namespace) -> None:
    """Train, then say what there is and what to do next."""
    from ..experiment.loading import read_experiment
    from ..experiment.training import train

    spec = read_experiment(options.source, options.overrides).spec
    folder = options.run or free_folder(Path("runs"), spec.name)
    with reporter(options.json) as listener:
        trained = train(spec, folder=folder, reporter=listener)
    finish(trained, options.json)


def free_folder(parent: Path, name: str) -> Path:
    """Return ``parent/name``, with a number behind it where that is taken."""
    folder, number = parent / name, 2
    while folder.exists():
        folder, number = parent / f"{name}-{number}", number + 1
    return folder


def reporter(quiet: bool) -> AbstractContextManager[Reporter]:
    """Return who hears of the progress: nobody, a bar on a terminal, or lines."""
    from ..experiment.reporting import Silent
    from .output import Bar, Lines

    if quiet:
        return nullcontext(Silent())
    return Bar() if sys.stderr.isatty() else nullcontext(Lines())


def finish(trained: Run, as_json: bool) -> None:
    """Print what a run has come to, its evaluation, its picture, and the next three commands."""
    from ..experiment.run import evaluate
    from .output import print_json

    evaluation = evaluate(trained) if trained.experiment.evaluate.metrics else None
    pictures = sorted((trained.folder / "samples").glob("*.png")) if trained.folder else []
    if as_json:
        print_json(
            {
                "run": str(trained.folder),
                "step": trained.step,
                "picture": str(pictures[-1]) if pictures else None,
                **(evaluation.to_dict() if evaluation else {}),
            }
        )
        return
    if evaluation:
        print(evaluation)
    if pictures:
        print(f"picture: {pictures[-1]}")
    print("next:")
    for command in ("sample", "evaluate", "resume"):
        print(f"  genframe {command} {trained.folder}{' train.steps=' + str(2 * trained.step) if command == 'resume' else ''}")
