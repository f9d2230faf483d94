"""``genframe resume``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .runs import add_data_arguments, opened


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("overrides", nargs="*", default=[], metavar="train.path=value", help="such as train.steps=20000")
    parser.add_argument("--require-exact", action="store_true", help="refuse to go on where bits may differ")
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, and no progress")


def run(options: argparse.Namespace) -> None:
    """Go on training; of a run that is complete, say so and leave it as it is."""
    from ..experiment.run.resume import is_complete, resume
    from ..training.allocation import keep_freed_memory
    from ..training.signals import Interrupted
    from .output import print_json, say
    from .train import finish, longer, outcome, reporter

    if is_complete(options.run, options.overrides):
        trained = opened(options.run)
        if options.json:
            print_json(outcome(trained))
        else:
            more = "" if trained.experiment.train.stages else f"; for more of them: genframe {longer(trained)}"
            print(f"{options.run} is complete, all its {trained.step} steps are made{more}")
        return
    keep_freed_memory()
    try:
        with reporter(options.json) as listener:
            trained = resume(
                options.run,
                options.overrides,
                reporter=listener,
                require_exact=options.require_exact,
                allow_changed_data=options.allow_changed_data,
            )
    except Interrupted:
        say(f"go on with: genframe resume {options.run}")
        raise
    finish(trained, options.json)
