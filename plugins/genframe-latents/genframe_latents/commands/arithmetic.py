"""``genframe arithmetic``."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from genframe import SpecError
from genframe.cli.values import count

from .subject import Subject, add_latent_arguments, open_subject

if TYPE_CHECKING:
    from torch import Tensor

    from genframe import Split

TERM = re.compile(r"\s*([+-])?\s*([^\s+-]+)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser, shown=1)
    parser.add_argument(
        "sum",
        metavar="SUM",
        help="such as '4 - eyes=eyes + eyes=sunglasses'; a number is an example of the split, a class the mean latent of "
        "its training examples",
    )
    parser.add_argument("--codes", type=count, metavar="N", help="average the first N training examples; all if left out")


def run(options: argparse.Namespace) -> None:
    """Add and subtract latents, and show the terms and the result."""
    import torch

    from genframe.cli.output import print_json

    terms = _terms(options.sum)
    subject = open_subject(options)
    split = subject.split(options.split)
    found = [_latent(subject, options, split, name) for _, name in terms]
    total = torch.stack([sign * latent for (sign, _), latent in zip(terms, found, strict=True)]).sum(0)
    shown = subject.latents.decode(torch.stack([*found, total]), _condition_of(subject, split, terms, len(found) + 1))
    out = subject.show(options.out, "arithmetic", [each[None] for each in shown], {"sum": options.sum})
    lengths = {name: float(latent.norm()) for (_, name), latent in zip(terms, found, strict=True)}
    if options.json:
        print_json({"out": str(out), "sum": options.sum, "lengths": lengths, "length": float(total.norm())})
    else:
        print(f"{out}\n{options.sum}: the terms, then the result, of length {float(total.norm()):.4g}")


def _terms(text: str) -> list[tuple[int, str]]:
    """Return the signs and the names of a sum.

    :raises SpecError: if it is not a sum.
    """
    terms: list[tuple[int, str]] = []
    at = 0
    while at < len(text.rstrip()):
        found = TERM.match(text, at)
        if found is None or (terms and found[1] is None):
            raise SpecError(f"expected a sum such as '1 - 2 + 3', found {text!r}")
        terms.append((-1 if found[1] == "-" else 1, found[2]))
        at = found.end()
    if not terms:
        raise SpecError(f"expected a sum such as '1 - 2 + 3', found {text!r}")
    return terms


def _latent(subject: Subject, options: argparse.Namespace, split: Split, name: str) -> Tensor:
    """Return the latent of an example, or the mean latent of a class."""
    from ..attributes import find_attribute, labels_of

    if name.isdecimal():
        if int(name) >= len(split):
            raise SpecError(f"there is no example {name}: the {split.name} split has 0 to {len(split) - 1}")
        return subject.latents.encode(*subject.data(split.subset(slice(int(name), int(name) + 1))))[0]
    data = subject.run.experiment.data
    attribute = find_attribute(data, name)
    train = subject.split("train")
    labels = labels_of(data, attribute.name, train)[: options.codes]
    codes = subject.latents.encode(*subject.data(train.subset(attribute.positives(labels).nonzero().flatten())))
    return codes.mean(0)


def _condition_of(subject: Subject, split: Split, terms: list[tuple[int, str]], n: int) -> Tensor | None:
    """Return the condition of the first example in the sum, repeated for all; ``None`` for an unconditional model."""
    if subject.run.model.composition.condition is None:
        return None
    first = next((int(name) for _, name in terms if name.isdecimal()), 0)
    condition = subject.data(split.subset(slice(first, first + 1)))[1]
    assert condition is not None
    return condition.expand(n, *condition.shape[1:])
