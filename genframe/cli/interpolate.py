"""``genframe interpolate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .latent_space import Subject, add_latent_arguments, classifier_of, open_subject
from .values import count

if TYPE_CHECKING:
    from torch import Tensor


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser)
    parser.add_argument("--along", choices=("linear", "spherical", "prior"), default="linear", help="the path between latents")
    parser.add_argument("--steps", type=count, default=9, help="how many data from the one to the other, both among them")
    parser.add_argument("--pairs", type=count, default=64, help="pairs by which distances are measured")
    parser.add_argument(
        "--classifier",
        type=Path,
        metavar="RUN",
        help="measure by its features how far from data the paths are, and those of pixels",
    )


def run(options: argparse.Namespace) -> None:
    """Go from each datum to the next one, and say how far from data that leads."""
    import torch

    from ..interpolation import between_pairs, linear
    from .output import print_json, print_table

    subject = open_subject(options)
    wanted = 2 * max(options.n, options.pairs if options.classifier else 1)
    x, condition = subject.data(subject.split(options.split, wanted))
    if len(x) < 2:
        raise DataError("expected at least two data to go from one to another")
    x, condition = x[: len(x) // 2 * 2], condition if condition is None else condition[: len(x) // 2 * 2]
    steps = max(2, options.steps)
    made, with_ends = between_pairs(subject.latents, x, condition, steps, options.along)
    info = {"along": options.along, "way": subject.latents.way}
    out = subject.show(options.out, f"interpolated-{options.along}", with_ends[: options.n].unbind(1), info)
    rows: dict[str, Any] = {}
    if options.classifier:
        pixels = linear(x[0::2], x[1::2], torch.linspace(0, 1, steps, device=x.device))
        rows = _distances(subject, options, subject.split("train"), x, made, pixels)
    if options.json:
        print_json({"out": str(out), **info, "pairs": len(made), "distance": rows})
        return
    print(f"{out}\n{subject.latents.way}, {options.along}: {len(made)} pairs, each with its ends outside")
    if rows:
        print("distance from the nearest training datum, by the classifier's features, and its standard error")
        print_table(
            ("path", "", ""), [(name, f"{row['mean']:.4g}", f"± {row['standard_error']:.2g}") for name, row in rows.items()]
        )


def _distances(
    subject: Subject, options: argparse.Namespace, train: Any, x: Tensor, made: Tensor, pixels: Tensor
) -> dict[str, dict[str, float]]:
    """Return how far the insides of the paths are from training data, averaged over each, beside held-out data's own."""
    from ..editing import Figure, manifold_distance

    classifier = classifier_of(options.classifier, subject.space, options.device)
    reference = classifier.features(subject.data(train)[0])

    def apart(rows: Tensor) -> Tensor:
        inside = rows[:, 1:-1] if rows.shape[1] > 2 else rows
        found = manifold_distance(classifier.features(inside.flatten(0, 1)), reference)
        return found.view(inside.shape[:2]).mean(1)

    own, theirs = apart(made), apart(pixels)
    found = {"latents": own, "pixels": theirs, "pixels less latents": theirs - own, "data": apart(x.view(-1, 2, *x.shape[1:]))}
    figures = {name: Figure.of(values) for name, values in found.items()}
    return {name: {"mean": figure.value, "standard_error": figure.error} for name, figure in figures.items()}
