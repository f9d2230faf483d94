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

    from ..interpolation import interpolated, linear
    from .output import print_json, print_table

    subject = open_subject(options)
    dataset = subject.dataset()
    wanted = 2 * max(options.n, options.pairs if options.classifier else 1)
    x, condition = subject.data(subject.split(dataset, options.split, wanted))
    if len(x) < 2:
        raise DataError("expected at least two data to go from one to another")
    x, condition = x[: len(x) // 2 * 2], condition if condition is None else condition[: len(x) // 2 * 2]
    first = condition[0::2] if condition is not None else None  # a path keeps the condition of its beginning
    latents = subject.latents.encode(x, condition)
    shares = torch.linspace(0, 1, max(2, options.steps), device=x.device)
    path = interpolated(subject.run.model, latents[0::2], latents[1::2], shares, options.along, first)
    made = subject.decoded(path, first)
    info = {"along": options.along, "way": subject.latents.way}
    shown = made[: options.n]
    columns = [x[0::2][: options.n], *shown.unbind(1), x[1::2][: options.n]]
    out = subject.show(options.out, f"interpolated-{options.along}", columns, info)
    rows: dict[str, Any] = {}
    if options.classifier:
        pixels = linear(x[0::2], x[1::2], shares)
        rows = _distances(subject, options, dataset.split("train").to(x.device), x, made, pixels)
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
