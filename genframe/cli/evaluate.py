"""``genframe evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument(
        "--metric", action="append", metavar="NAME_OR_MAPPING", help="metrics/nll or {type: metrics/nll, samples: 10}"
    )
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--json", action="store_true", help="print results with their stamps as JSON")


def run(options: argparse.Namespace) -> None:
    """Measure, print, and keep the results in the run's folder."""
    from ..experiment.loading import experiment_from
    from ..experiment.run import evaluate, load
    from .output import print_json

    trained = load(options.run)
    if options.metric:
        resolved = trained.experiment.model_dump(mode="json")
        assignment = f"evaluate.metrics=[{', '.join(options.metric)}]"
        trained.experiment = experiment_from(resolved, [assignment]).spec
    evaluation = evaluate(trained, split=options.split)
    if options.json:
        print_json(evaluation.to_dict())
    elif evaluation.results or evaluation.refused:
        print(evaluation)
    else:
        print("the experiment names no metrics; name one with --metric, such as --metric metrics/nll")
