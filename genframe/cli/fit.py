"""``genframe fit``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ..composition import SLOTS
from ..errors import Problem, SpecError
from ..specs import ComponentSpec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("slot", metavar="SLOT", help=f"one of {', '.join(f'model.{slot}' for slot in SLOTS)}, or within one")
    parser.add_argument("source", metavar="FILE_OR_RECIPE", help="the experiment with the slot")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Put each installed component into the slot, with its defaults, and print which pass the check."""
    from .output import print_json, print_table

    outcomes = list(_outcomes(options.slot, options.source))
    if options.json:
        print_json([{"component": name, "fits": not reason, "reason": reason} for name, reason in outcomes])
        return
    print_table(["component", ""], [[name, f"no: {reason}" if reason else "fits"] for name, reason in outcomes])


def _outcomes(slot: str, source: str) -> Iterator[tuple[str, str]]:
    from ..experiment.loading import read_experiment
    from ..experiment.spec import check_experiment
    from ..plugins import installed

    kind = _kind_at(slot, source)
    for name in installed().registry(kind).names():
        try:
            check_experiment(read_experiment(source, [f"{slot}={name}"]).spec)
            yield name, ""
        except SpecError as error:
            yield name, str(error.problems[0])


def _kind_at(slot: str, source: str) -> Any:
    """Return the kind of component that ``slot`` takes: a top slot's, or that of the component now in it."""
    from ..experiment.loading import read_experiment

    keys = slot.split(".")
    if keys[0] == "model" and len(keys) == 2 and keys[1] in SLOTS:
        return SLOTS[keys[1]]
    node: Any = read_experiment(source).spec
    for key in keys:
        node = (
            node[int(key)] if isinstance(node, tuple) and key.isdigit() and int(key) < len(node) else getattr(node, key, None)
        )
    if not isinstance(node, ComponentSpec):
        slots = ", ".join(f"model.{name}" for name in SLOTS)
        raise SpecError(
            Problem(slot, "there is no component in this slot", f"the slots are {slots}, and fields of their components")
        )
    return node.kind
