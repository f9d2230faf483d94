"""``genframe fit``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..checking.suggestions import SLOTS, at_path
from ..specs.base import ComponentSpec, Kind
from ..specs.metric import MetricSpec
from ..types.errors import DataError, Problem, SpecError

if TYPE_CHECKING:
    from ..experiment.document import Document
    from ..experiment.document.loading import Experiment


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("slot", metavar="SLOT", help=f"one of {', '.join(f'model.{slot}' for slot in SLOTS)}, or within one")
    parser.add_argument("source", metavar="FILE_OR_RECIPE", help="the experiment with the slot")
    parser.add_argument("overrides", nargs="*", default=[], metavar="key.path=value", help="changes to the experiment")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Put each installed component into the slot, with its defaults, and print which pass the check."""
    from ..experiment.document import overrides
    from ..experiment.document.loading import read_document
    from .output import print_json, print_table

    document = overrides.apply(read_document(options.source), options.overrides)
    outcomes = sorted(_outcomes(options.slot, document), key=lambda outcome: bool(outcome[1]))
    if options.json:
        print_json([{"component": name, "fits": not reason, "reason": reason} for name, reason in outcomes])
        return
    print_table(["component", "fits"], [[name, f"no: {reason}" if reason else "yes"] for name, reason in outcomes])


def _outcomes(slot: str, document: Document) -> Iterator[tuple[str, str]]:
    """Yield each component of the slot's kind, and why it does not fit."""
    from ..experiment.document.loading import experiment_from
    from ..plugins.discovery import installed

    for name in installed().registry(_kind_at(slot, document)).names():
        try:
            yield name, _refusal(slot, experiment_from(document, [f"{slot}={name}"]))
        except SpecError as error:
            yield name, str(replace(error.problems[0], source="", line=None, hint=""))
        except DataError as error:
            yield name, str(error)


def _refusal(slot: str, experiment: Experiment) -> str:
    """Return why a metric in the slot cannot measure the model, or an empty string.

    :raises SpecError: if the types do not fit.
    """
    from ..experiment.document.spec import check_experiment

    composition = check_experiment(experiment.spec)
    part = at_path(experiment.spec, slot.split("."))
    return part.refusal(composition) if isinstance(part, MetricSpec) else ""


def _kind_at(slot: str, document: Document) -> Kind:
    """Return the kind of component that the slot takes: a top slot's, or that of the component now in it."""
    from ..experiment.document.loading import experiment_from

    keys = slot.split(".")
    if keys[0] == "model" and len(keys) == 2 and keys[1] in SLOTS:
        return SLOTS[keys[1]]
    part = at_path(experiment_from(document).spec, keys)
    if not isinstance(part, ComponentSpec):
        slots = ", ".join(f"model.{name}" for name in SLOTS)
        hint = f"the slots are {slots}, data, and those within their components"
        raise SpecError(Problem(slot, "there is no component in this slot", hint))
    return part.kind
