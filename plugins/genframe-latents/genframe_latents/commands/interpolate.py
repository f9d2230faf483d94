"""``genframe interpolate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genframe import DataError
from genframe.cli.values import count

from .subject import Subject, add_latent_arguments, classifier_of, open_subject

if TYPE_CHECKING:
    from torch import Tensor


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser)
    parser.add_argument("--along", choices=("linear", "spherical", "prior"), default="linear", help="the path between latents")
    parser.add_argument("--steps", type=count, default=9, help="how many steps from one example to the other, both included")
    parser.add_argument("--pairs", type=count, default=64, help="how many pairs the distances are measured on")
    parser.add_argument(
        "--classifier",
        type=Path,
        metavar="RUN",
        help="measure by its features how far the paths are from training examples, and paths of pixels",
    )


def run(options: argparse.Namespace) -> None:
    """Go from one example of each pair to the other, and say how far the paths are from training examples."""
    import torch

    from genframe.cli.output import print_json, print_table

    from ..interpolation import between_pairs, linear

    subject = open_subject(options)
    wanted = 2 * max(options.n, options.pairs if options.classifier else 1)
    x, condition = subject.data(subject.split(options.split, wanted))
    if len(x) < 2:
        raise DataError("expected at least two examples to go from one to another")
    x, condition = x[: len(x) // 2 * 2], condition if condition is None else condition[: len(x) // 2 * 2]
    steps = max(2, options.steps)
    made, with_ends = between_pairs(subject.latents, x, condition, steps, options.along)
    info = {"along": options.along, "route": subject.latents.route}
    out = subject.show(options.out, f"interpolated-{options.along}", with_ends[: options.n].unbind(1), info)
    rows: dict[str, Any] = {}
    if options.classifier:
        pixels = linear(x[0::2], x[1::2], torch.linspace(0, 1, steps, device=x.device))
        rows = _distances(subject, options, subject.split("train"), x, made, pixels)
    if options.json:
        print_json({"out": str(out), **info, "pairs": len(made), "distance": rows})
        return
    print(f"{out}\n{subject.latents.route}, {options.along}: {len(made)} pairs, each between its two examples")
    if rows:
        print("distance to the nearest training example by the classifier's features, with its standard error")
        print_table(
            ("path", "", ""), [(name, f"{row['mean']:.4g}", f"± {row['standard_error']:.2g}") for name, row in rows.items()]
        )


def _distances(
    subject: Subject, options: argparse.Namespace, train: Any, x: Tensor, made: Tensor, pixels: Tensor
) -> dict[str, dict[str, float]]:
    """Return the distance of each path's inside from training examples, averaged; and that of held-out examples."""
    from ..editing import Average, manifold_distance

    classifier = classifier_of(options.classifier, subject.space, options.device)
    reference = classifier.features(subject.data(train)[0])

    def apart(rows: Tensor) -> Tensor:
        inside = rows[:, 1:-1] if rows.shape[1] > 2 else rows
        found = manifold_distance(classifier.features(inside.flatten(0, 1)), reference)
        return found.view(inside.shape[:2]).mean(1)

    own, theirs = apart(made), apart(pixels)
    found = {"latents": own, "pixels": theirs, "pixels less latents": theirs - own, "data": apart(x.view(-1, 2, *x.shape[1:]))}
    averages = {name: Average.of(values) for name, values in found.items()}
    return {name: {"mean": average.value, "standard_error": average.error} for name, average in averages.items()}
