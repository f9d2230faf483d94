"""``genframe evaluate``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from .runs import add_arguments, add_data_arguments, opened


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument(
        "--metric", action="append", metavar="NAME_OR_MAPPING", help="metrics/nll or {type: metrics/nll, samples: 10}"
    )
    parser.add_argument(
        "--all", action="store_true", help="every installed metric beside, of bounded cost; so without a metric"
    )
    parser.add_argument("--features", type=Path, metavar="RUN", help="compare features of this run, such as a classifier's")
    parser.add_argument("--split", help="train, validation or test; the experiment's if left out")
    parser.add_argument("--json", action="store_true", help="print results with their stamps as JSON")


def run(options: argparse.Namespace) -> None:
    """Measure, print, and keep the results in the run's folder."""
    from ..experiment.document.loading import experiment_from
    from ..experiment.run.evaluation import evaluate
    from ..experiment.run.folder import RunFolder
    from .output import print_json
    from .runs import refuse_failed

    trained = opened(options.run, options.device, allow_changed_data=options.allow_changed_data)
    if options.metric:
        resolved = trained.experiment.model_dump(mode="json")
        assignment = f"evaluate.metrics=[{', '.join(options.metric)}]"
        trained.experiment = experiment_from(resolved, [assignment]).spec
    every = options.all or not trained.experiment.evaluate.metrics
    evaluation = evaluate(replace(trained, folder=None), split=options.split, every=every, features=options.features)
    if options.json:
        print_json(evaluation.to_dict())
    else:
        print(evaluation)
    # kept only now, so that a folder which cannot be written loses no figure
    RunFolder(options.run).write_json("results.json", evaluation.to_dict())
    refuse_failed(evaluation)
