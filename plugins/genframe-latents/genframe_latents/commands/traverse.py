"""``genframe traverse``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from genframe import SpecError
from genframe.cli.values import count, natural, tensors_file

from .subject import Subject, add_latent_arguments, add_strengths, open_subject, strengths_of

if TYPE_CHECKING:
    from ..directions import Direction


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--dimension", type=natural, metavar="I", help="move this value of the latent, counted from 0")
    which.add_argument("--component", type=natural, metavar="K", help="move along this principal component of codes, from 0")
    which.add_argument("--direction", type=Path, metavar="FILE", help="move along the direction in a file")
    add_strengths(parser, "--range", "-3..3")
    parser.add_argument("--codes", type=count, default=1000, help="training examples for deviations and components")
    parser.add_argument("--save", type=tensors_file, metavar="FILE", help="write the direction to a .safetensors file")


def run(options: argparse.Namespace) -> None:
    """Move the latents of a few examples along a dimension or direction."""
    import torch

    from genframe import Real
    from genframe.cli.output import print_json, print_table
    from genframe.cli.runs import make_room

    from ..editing import Average, distances

    subject = open_subject(options)
    direction = subject.direction(options.direction) if options.direction else _found(subject, options)
    if options.save:
        make_room(options.save)
        direction.save(options.save)
    x, condition = subject.data(subject.split(options.split, options.n))
    strengths = strengths_of(options.range, options.steps)
    latents = subject.latents.encode(x, condition)
    moved = direction.moved(latents, torch.tensor(strengths, device=x.device), options.along)
    made = subject.latents.decode_each(moved, condition)
    name = "direction" if options.direction else str(direction.stamp["attribute"]).replace(" ", "-")
    how = {"along": options.along, "direction": dict(direction.stamp)}
    out = subject.show(options.out, f"traversed-{name}", list(made.unbind(1)), how)
    space = subject.space
    averages = (
        [Average.of(distances(x, each, space)) for each in made.unbind(1)]
        if isinstance(space, Real)
        else [None] * len(strengths)
    )
    if options.json:
        rows = [
            {"strength": strength, **({"distance": average.value, "standard_error": average.error} if average else {})}
            for strength, average in zip(strengths, averages, strict=True)
        ]
        print_json({"out": str(out), **how, "rows": rows})
        return
    print(f"{out}\nalong {direction.stamp['attribute']}; distance from the original as a share of the range of values")
    cells = [(f"{strength:+.3g}", str(average or "")) for strength, average in zip(strengths, averages, strict=True)]
    print_table(("strength", "distance"), cells)


def _found(subject: Subject, options: argparse.Namespace) -> Direction:
    """Return the direction of a dimension or a component; its length is the standard deviation of codes along it."""
    import torch

    from ..directions import Components, Direction

    dims = subject.latents.space.dims
    if options.dimension is not None and options.dimension >= dims:
        raise SpecError(f"there is no dimension {options.dimension}: the latent {subject.latents.space} has 0 to {dims - 1}")
    train = subject.split("train", options.codes)
    codes = subject.latents.encode(*subject.data(train)).flatten(1)
    if options.dimension is not None:
        vector = torch.zeros(dims, device=codes.device, dtype=codes.dtype)
        vector[options.dimension] = codes[:, options.dimension].std()
        name = f"dimension {options.dimension}"
    else:
        components = Components.of(codes)
        found = len(components.deviations)
        if options.component >= found:
            raise SpecError(f"there is no component {options.component}: {len(codes)} codes have 0 to {found - 1}")
        vector = (components.axes[options.component] * components.deviations[options.component]).to(codes.dtype)
        name = f"component {options.component}"
    stamp = subject.stamp() | {"attribute": name, "split": "train", "counts": {"codes": len(codes)}}
    return Direction(vector.view(subject.latents.space.shape), stamp)
