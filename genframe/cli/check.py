"""``genframe check``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..experiment.document.loading import Experiment
    from ..specs.composition import Composition


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="FILE_OR_RECIPE", help="a .yaml or .json file, or a recipe's name")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key.path=value", help="such as model.prior=vae/vamp")
    parser.add_argument("--explain", action="store_true", help="parameters by part, memory, and where each value came from")
    parser.add_argument("--measure", action="store_true", help="with --explain, the time of a step, measured on three steps")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Type the experiment and print what came out."""
    from ..experiment.document.loading import check_placed, read_experiment
    from ..experiment.document.spec import UNREAD
    from .output import print_json

    experiment = read_experiment(options.source, options.overrides)
    composition = check_placed(experiment)
    outcome, report = _outcome(experiment, composition), experiment.spec.data.report()
    if report is not None:
        outcome["read"] = report.to_dict()
    if composition.condition is None and experiment.spec.data.condition_space() is not None:
        outcome["unread"] = UNREAD
    if options.explain or options.measure:
        from ..experiment.document.origins import values
        from ..training.sizes import sizes

        rows = [{"path": value.path, "value": value.value, "from": value.origin} for value in values(experiment)]
        outcome |= sizes(experiment.spec.train, composition, operations=True) | {"values": rows}
        if options.measure:
            from ..experiment.run.timing import seconds_per_step

            outcome["seconds_per_step"] = seconds_per_step(experiment.spec, composition)
    if options.json:
        print_json(outcome)
    else:
        if report is not None:
            print(f"{report}\n")
        _print(outcome)


def _outcome(experiment: Experiment, composition: Composition) -> dict[str, Any]:
    spec = composition.spec
    parts = {"condition": spec.condition, "encoder": spec.encoder, "decoder": spec.decoder, "prior": spec.prior}
    spaces = {
        "data": composition.data,
        "condition": composition.condition,
        "context": composition.context,
        "latent": composition.latent,
        "code": composition.code,
    }
    refused = {metric.type: metric.refusal(composition) for metric in experiment.spec.evaluate.metrics}
    return {
        "parts": {
            role: part.type for role, part in {**parts, "loss": spec.loss, "sampler": spec.sampler}.items() if part is not None
        },
        "traits": {role: sorted(t.__name__ for t in part.provides) for role, part in parts.items() if part is not None},
        "spaces": {name: str(space) for name, space in spaces.items() if space is not None},
        "density": composition.density,
        "sampling": composition.sampling,
        "players": list(composition.players),
        "not_measured": {name: reason for name, reason in refused.items() if reason},
    }


def _print(outcome: Mapping[str, Any]) -> None:
    from .output import print_table

    rows = [[role, name, ", ".join(outcome["traits"].get(role, []))] for role, name in outcome["parts"].items()]
    print_table(["part", "component", "traits"], rows)
    print()
    print_table(["space", "of"], [[name, space] for name, space in outcome["spaces"].items()])
    print(f"\ndensity: {outcome['density']}; sampling: {outcome['sampling']}; players: {', '.join(outcome['players'])}")
    if "unread" in outcome:
        print(outcome["unread"])
    for name, reason in outcome["not_measured"].items():
        print(f"{name} will not be measured: {reason}")
    if "parameters" in outcome:
        _print_sizes(outcome)
        print_table(["value", "is", "from"], [[row["path"], _shown(row["value"]), row["from"]] for row in outcome["values"]])


def _print_sizes(outcome: Mapping[str, Any]) -> None:
    from ..types.text import readable

    counts = ", ".join(f"{role} {count:,}" for role, count in outcome["parameters"].items())
    kinds = {"weights_bytes": "weights, gradients and optimizer", "activations_bytes": "activations of a step"}
    known = [f"{kind} {readable(outcome[name])}" for name, kind in kinds.items() if outcome[name] is not None]
    print(f"parameters: {counts or 'none'}\nmemory: {', '.join(known)}")
    print(f"disk: {readable(outcome['checkpoint_bytes'])} a checkpoint")
    if outcome["operations"]:
        print(f"operations: {outcome['operations']:.3g} floating-point operations a step")
    if outcome.get("seconds_per_step"):
        print(f"time: {outcome['seconds_per_step']:.3g} s a step on this machine")
    print()


def _shown(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
