"""``genframe check``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..composition import Composition
    from ..experiment.loading import Experiment


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="FILE_OR_RECIPE", help="a .yaml or .json file, or a recipe's name")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="such as model.prior=vae/vamp")
    parser.add_argument("--explain", action="store_true", help="spaces, parameters by part, memory, and where values came from")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run(options: argparse.Namespace) -> None:
    """Type the experiment and print what came out."""
    from ..experiment.loading import read_experiment
    from ..experiment.spec import check_experiment
    from .output import print_json

    experiment = read_experiment(options.source, options.overrides)
    composition = check_experiment(experiment.spec)
    outcome = _outcome(composition)
    if options.explain:
        outcome |= _sizes(experiment, composition) | {"values": list(_origins(experiment))}
    if options.json:
        print_json(outcome)
    else:
        _print(outcome)


def _outcome(composition: Composition) -> dict[str, Any]:
    spec = composition.spec
    parts = {"condition": spec.condition, "encoder": spec.encoder, "decoder": spec.decoder, "prior": spec.prior}
    spaces = {
        "data": composition.data,
        "condition": composition.condition,
        "context": composition.context,
        "latent": composition.latent,
        "code": composition.code,
    }
    return {
        "parts": {
            role: part.type for role, part in {**parts, "loss": spec.loss, "sampler": spec.sampler}.items() if part is not None
        },
        "traits": {
            role: sorted(t.__name__ for t in part.provided_traits()) for role, part in parts.items() if part is not None
        },
        "spaces": {name: str(space) for name, space in spaces.items() if space is not None},
        "density": composition.density,
        "sampling": composition.sampling,
        "players": list(composition.players),
    }


def _sizes(experiment: Experiment, composition: Composition) -> dict[str, Any]:
    """Build the model without memory, on torch's meta device, and count."""
    import torch

    from ..model import Model

    with torch.device("meta"):
        model = Model(composition)
    counts = {role: sum(p.numel() for p in part.parameters()) for role, part in {**model.parts(), "loss": model.loss}.items()}
    train = experiment.spec.train
    moments = {"sgd": 1}.get(train.optimizer, 2)
    copies = 1 + 1 + moments + (train.ema is not None)
    held = 4 * (sum(counts.values()) * copies + composition.data.dims * train.batch_size)
    return {"parameters": {role: count for role, count in counts.items() if count}, "memory_bytes": held}


def _origins(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Yield each value of the resolved experiment and where it was written, or that it is a default."""
    for path, value in _leaves(experiment.spec.model_dump(mode="json"), ()):
        place = experiment.document.places.get(path)
        came = "default" if place is None else place.source + (f":{place.line}" if place.line is not None else "")
        yield {"path": ".".join(map(str, path)), "value": value, "from": came}


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, entry in value.items():
            yield from _leaves(entry, (*path, key))
    elif isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
        for index, entry in enumerate(value):
            yield from _leaves(entry, (*path, index))
    else:
        yield path, value


def _print(outcome: Mapping[str, Any]) -> None:
    from .output import print_table

    rows = [[role, name, ", ".join(outcome["traits"].get(role, []))] for role, name in outcome["parts"].items()]
    print_table(["part", "component", "traits"], rows)
    print_table(["space", ""], [[name, space] for name, space in outcome["spaces"].items()])
    print(f"density: {outcome['density']}; sampling: {outcome['sampling']}; players: {', '.join(outcome['players'])}")
    if "parameters" in outcome:
        counts = ", ".join(f"{role} {count:,}" for role, count in outcome["parameters"].items())
        print(f"parameters: {counts or 'none'}; weights, gradients and optimizer: {outcome['memory_bytes'] / 2**20:.1f} MiB")
        print("  (activations come on top; they depend on the batch size)")
        print_table(["value", "", "from"], [[row["path"], str(row["value"]), row["from"]] for row in outcome["values"]])
