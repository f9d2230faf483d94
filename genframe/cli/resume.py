"""``genframe resume``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .train import finish, reporter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("overrides", nargs="*", metavar="train.path=value", help="such as train.steps=20000")
    parser.add_argument("--require-exact", action="store_true", help="refuse to go on where bits may differ")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, and no progress")


def run(options: argparse.Namespace) -> None:
    """Go on training."""
    from ..experiment.training import resume

    with reporter(options.json) as listener:
        trained = resume(options.run, options.overrides, reporter=listener, require_exact=options.require_exact)
    finish(trained, options.json)
