"""``genframe edit``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genframe import DataError, Unsupported
from genframe.cli.values import count, tensors_file

from .subject import Subject, add_latent_arguments, add_strengths, classifier_of, open_subject, strengths_of

if TYPE_CHECKING:
    from genframe import Split

    from ..attributes import Attribute
    from ..directions import Direction
    from ..editing import Average, Moved


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser)
    parser.add_argument(
        "--attribute", required=True, metavar="NAME", help="a class of the dataset, such as sunglasses or eyes=sunglasses"
    )
    parser.add_argument("--against", metavar="CLASS", help="the class against it; all others if left out")
    add_strengths(parser, "--strength", "-2..2")
    parser.add_argument("--direction", type=Path, metavar="FILE", help="the direction in a file, instead of a new one")
    parser.add_argument("--save", type=tensors_file, metavar="FILE", help="write the direction to a .safetensors file")
    parser.add_argument("--labelled", type=count, metavar="N", help="average the first N training examples; all if left out")
    parser.add_argument(
        "--residual",
        action="store_true",
        help="add to each original what the move changes, so that what latents leave out stays",
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="measure on the first N examples of the split; on all if left out"
    )
    parser.add_argument(
        "--classifier", type=Path, metavar="RUN", help="a classifier of the attribute, whose verdicts should change"
    )
    parser.add_argument(
        "--keep", metavar="LABELS", help="labels that should stay, such as person: measured by the nearest original"
    )


def run(options: argparse.Namespace) -> None:
    """Average the latents of labelled examples, move held-out examples along the difference, and measure the change."""
    import torch

    from genframe import Real
    from genframe.cli.output import print_json
    from genframe.cli.runs import make_room

    from ..attributes import find_attribute, labels_of
    from ..editing import measured, spread_of, with_residual

    subject = open_subject(options)
    data, space = subject.run.experiment.data, subject.space
    if not isinstance(space, Real):
        raise Unsupported(f"distances from the original need real data, found {space}")
    attribute = find_attribute(data, options.attribute, options.against)
    classifier = None
    if options.classifier:
        classifier = classifier_of(options.classifier, space, options.device, attribute.name, attribute.classes)
    if options.keep and options.keep not in data.attributes():
        raise DataError(f"the dataset has no labels {options.keep!r}; it has {', '.join(data.attributes())}")
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
    rows = measured(x, made, strengths, space, verdicts=verdicts, classes=kept)
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
                "rows": [_plain(row) for row in rows],
            }
        )
    else:
        _say(out, attribute, split, rows, usual)


def _direction(subject: Subject, attribute: Attribute, limit: int | None) -> Direction:
    """Return the mean latent of training examples of the class minus that of the others."""
    from ..attributes import labels_of
    from ..directions import Direction, attribute_direction

    whole = subject.split("train")
    labels = labels_of(subject.run.experiment.data, attribute.name, whole)[:limit]
    positive, negative = attribute.positives(labels), attribute.negatives(labels)
    codes = subject.latents.encode(*subject.data(whole.subset(slice(0, limit))))
    counts = {"positives": int(positive.sum()), "negatives": int(negative.sum())}
    stamp = {"attribute": str(attribute), "split": "train", "protocol": dict(whole.protocol), "counts": counts}
    return Direction(attribute_direction(codes, positive, negative), subject.stamp() | stamp)


def _plain(row: Moved) -> dict[str, Any]:
    return {name: vars(value) if hasattr(value, "value") else value for name, value in vars(row).items()}


def _say(out: Path, attribute: Attribute, split: Split, rows: list[Moved], usual: float) -> None:
    from genframe.cli.output import print_table

    print(f"{out}\n{attribute}, on the {split.name} split: {rows[0].distance.n} examples")
    print(f"distance from the original as a share of the range of values; between two examples it is {usual:.3g}")
    headers = ["strength", "distance", "verdict changed", "kept"]
    cells = [[f"{row.strength:+.3g}", *map(_cell, (row.distance, row.flipped, row.kept))] for row in rows]
    print_table(headers, [headers, *cells])


def _cell(average: Average | None) -> str:
    return "" if average is None else str(average)
