"""``genframe edit``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, Unsupported
from .latent_space import Subject, add_latent_arguments, add_strengths, classifier_of, open_subject, strengths_of
from .values import count, tensors_file

if TYPE_CHECKING:
    from ..data import Split
    from ..directions import Direction
    from ..editing import Figure, Moved
    from ..experiment.attributes import Attribute


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser)
    parser.add_argument(
        "--attribute", required=True, metavar="NAME", help="a class of the data, such as sunglasses or eyes=sunglasses"
    )
    parser.add_argument("--against", metavar="CLASS", help="the class that it stands against; all others if left out")
    add_strengths(parser, "--strength", "-2..2")
    parser.add_argument("--direction", type=Path, metavar="FILE", help="a direction that a file holds, in place of a new one")
    parser.add_argument("--save", type=tensors_file, metavar="FILE", help="write the direction to a .safetensors file")
    parser.add_argument("--labelled", type=count, metavar="N", help="average the first so many training data; all if left out")
    parser.add_argument(
        "--residual",
        action="store_true",
        help="add to the originals what the move changes, so that what latents leave out stays",
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="measure on the first so many data of the split; on all if left out"
    )
    parser.add_argument(
        "--classifier", type=Path, metavar="RUN", help="a classifier of the attribute, whose verdicts are to change"
    )
    parser.add_argument(
        "--keep", metavar="LABELS", help="labels that are to stay, such as person: those of the nearest original"
    )


def run(options: argparse.Namespace) -> None:
    """Average the latents of labelled data, move held-out data along the difference, and say what that did."""
    import torch

    from ..editing import moved_figures, spread_of, with_residual
    from ..experiment.attributes import find_attribute, labels_of
    from ..spaces import Real
    from .output import print_json
    from .runs import make_room

    subject = open_subject(options)
    data, space = subject.run.experiment.data, subject.space
    if not isinstance(space, Real):
        raise Unsupported(f"distances from the original are of real data, found {space}")
    attribute = find_attribute(data, options.attribute, options.against)
    classifier = None
    if options.classifier:
        classifier = classifier_of(options.classifier, space, options.device, attribute.name, attribute.classes)
    if options.keep and options.keep not in data.attributes():
        raise DataError(f"the data have no labels {options.keep!r}; they have {', '.join(data.attributes())}")
    direction = subject.direction(options.direction) if options.direction else _direction(subject, attribute, options.labelled)
    if options.save:
        make_room(options.save)
        direction.save(options.save)
    whole = subject.split(options.split)
    split = whole.subset(slice(0, options.limit))
    x, condition = subject.data(split)
    strengths = strengths_of(options.strength, options.steps)
    latents = subject.latents.encode(x, condition)
    moved = direction.moved(latents, torch.tensor(strengths, device=x.device), options.along)
    made = subject.latents.decode_each(moved, condition)
    if options.residual:
        made = with_residual(x, made, subject.latents.decode(latents, condition), space)
    verdicts = None
    if classifier is not None:
        after = classifier.verdicts(made.flatten(0, 1)).view(made.shape[:2])
        verdicts = (attribute.positives(classifier.verdicts(x)), attribute.positives(after))
    kept = labels_of(data, options.keep, whole)[: len(x)] if options.keep else None
    figures = moved_figures(x, made, strengths, space, verdicts=verdicts, classes=kept)
    columns = [x[: options.n], *made[: options.n].unbind(1)]
    how = {"along": options.along, "direction": dict(direction.stamp)}
    out = subject.show(options.out, f"edited-{attribute.name}", columns, how)
    usual = spread_of(x, space)
    if options.json:
        print_json(
            {
                "out": str(out),
                **how,
                "split": split.name,
                "n": len(x),
                "residual": options.residual,
                "classifier": str(options.classifier) if options.classifier else None,
                "usual_distance": usual,
                "rows": [_plain(row) for row in figures],
            }
        )
    else:
        _say(out, attribute, split, figures, usual)


def _direction(subject: Subject, attribute: Attribute, limit: int | None) -> Direction:
    """Return the mean latent of the training data of the class less that of the others."""
    from ..directions import Direction, attribute_direction
    from ..experiment.attributes import labels_of

    whole = subject.split("train")
    labels = labels_of(subject.run.experiment.data, attribute.name, whole)[:limit]
    positive, negative = attribute.positives(labels), attribute.negatives(labels)
    codes = subject.latents.encode(*subject.data(whole.subset(slice(0, limit))))
    counts = {"positives": int(positive.sum()), "negatives": int(negative.sum())}
    stamp = {"attribute": str(attribute), "split": "train", "protocol": dict(whole.protocol), "counts": counts}
    return Direction(attribute_direction(codes, positive, negative), subject.stamp() | stamp)


def _plain(row: Moved) -> dict[str, Any]:
    return {name: vars(value) if hasattr(value, "value") else value for name, value in vars(row).items()}


def _say(out: Path, attribute: Attribute, split: Split, figures: list[Moved], usual: float) -> None:
    from .output import print_table

    print(f"{out}\n{attribute}, on the {split.name} split: {figures[0].distance.n} data")
    print(f"distance from the original as a share of the range of values; that of two data is {usual:.3g}")
    headers = ["strength", "distance", "verdict changed", "kept"]
    rows = [[f"{row.strength:+.3g}", *map(_cell, (row.distance, row.flipped, row.kept))] for row in figures]
    print_table(headers, [headers, *rows])


def _cell(figure: Figure | None) -> str:
    return "" if figure is None else str(figure)
