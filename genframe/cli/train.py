"""``genframe train``."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..experiment.run.evaluation import Evaluation
    from ..experiment.run.run import Run
    from ..training.reporter import Reporter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="FILE_OR_RECIPE", help="a .yaml or .json file, or a recipe's name")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key.path=value", help="such as train.lr=1e-3")
    parser.add_argument("--run", type=Path, help="the run's folder; runs/NAME if left out")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, and no progress")


def run(options: argparse.Namespace) -> None:
    """Train, then say what there is and what to do next."""
    from ..experiment.document.loading import check_placed, read_experiment

    experiment = read_experiment(options.source, options.overrides)
    check_placed(experiment)

    from ..experiment.run.training import train
    from ..training.allocation import keep_freed_memory
    from ..training.signals import Interrupted
    from .output import say

    keep_freed_memory()
    folder = options.run or free_folder(Path("runs"), experiment.spec.name)
    try:
        with reporter(options.json) as listener:
            trained = train(experiment, folder=folder, reporter=listener)
    except Interrupted:
        say(f"go on with: genframe resume {folder}")
        raise
    finish(trained, options.json)


def free_folder(parent: Path, name: str) -> Path:
    """Return ``parent/name``, with a number behind it where that is taken."""
    folder, number = parent / name, 2
    while folder.exists():
        folder, number = parent / f"{name}-{number}", number + 1
    return folder


def reporter(quiet: bool) -> AbstractContextManager[Reporter]:
    """Return who hears of the progress: for messages only, a bar on a terminal, or lines."""
    from .output import Bar, Lines, Messages

    if quiet:
        return nullcontext(Messages())
    return Bar() if sys.stderr.isatty() else nullcontext(Lines())


def finish(trained: Run, as_json: bool) -> None:
    """Measure a run; print its figures, its picture and three commands that go on from it."""
    from ..experiment.run.evaluation import evaluate
    from .output import print_json, say
    from .runs import refuse_failed

    spec = trained.experiment.evaluate
    if spec.metrics and not as_json:
        say(f"measuring {', '.join(metric.type for metric in spec.metrics)} on the {spec.split} split")
    evaluation = evaluate(trained) if spec.metrics else None
    if as_json:
        print_json(outcome(trained) | (evaluation.to_dict() if evaluation else {}))
    else:
        _tell(trained, evaluation)
    if evaluation:
        refuse_failed(evaluation)


def _tell(trained: Run, evaluation: Evaluation | None) -> None:
    if evaluation:
        print(evaluation)
    if shown := picture(trained):
        print(f"{'text' if shown.suffix == '.txt' else 'picture'}: {shown}")
    print("next:")
    for command in next_commands(trained):
        print(f"  genframe {command}")


def outcome(trained: Run) -> dict[str, object]:
    """Return what ``--json`` prints of every run."""
    path = picture(trained)
    return {
        "run": str(trained.folder),
        "step": trained.step,
        "checkpoint": trained.checkpoint,
        "picture": str(path) if path else None,
    }


def picture(trained: Run) -> Path | None:
    """Return the picture of the run's last step, or the text, if it has one."""
    path = (trained.folder or Path()) / "samples" / f"step-{trained.step:08d}.png"
    return next((shown for shown in (path, path.with_suffix(".txt")) if shown.is_file()), None)


def next_commands(trained: Run) -> list[str]:
    """Return three commands that go on from the run: samples, what else it can do, and more of it."""
    from ..experiment.run.reconstruction import reconstructs

    folder = trained.folder
    look = f"reconstruct {folder}" if reconstructs(trained) else f"evaluate {folder}"
    staged = bool(trained.experiment.train.stages)
    return [f"sample {folder} -n 100 --seed 1", look, f"evaluate {folder} --split validation" if staged else longer(trained)]


def longer(trained: Run) -> str:
    """Return the command that trains the run twice as long."""
    return f"resume {trained.folder} train.steps={2 * trained.step}"
