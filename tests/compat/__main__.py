"""Write what the tests in this folder compare with.

``python -m tests.compat gate`` records the gate, ``python -m tests.compat gate RECIPE...`` some of its recipes again, with the
machine that did; ``python -m tests.compat runs VERSION`` stores a run of each family.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from genframe import installed
from tests.compat import gate, stored
from tests.recipes.small import data_files


def record_gate() -> None:
    """Record every recipe and every example."""
    examples = {kit.plugin: gate.example_records(kit) for kit in gate.conformance_classes()}
    record = {"machine": gate.machine(), "recipes": recorded_recipes(sorted(installed().recipes)), "examples": examples}
    gate.RECORD.write_text(json.dumps(record, indent=1) + "\n")


def record_again(names: list[str]) -> None:
    """Record some recipes, which have changed on purpose."""
    record = gate.recorded()
    found = recorded_recipes(names)
    record["recipes"] |= {name: {**found[name], "machine": gate.machine()} for name in names}
    gate.RECORD.write_text(json.dumps(record, indent=1) + "\n")


def recorded_recipes(names: list[str]) -> dict[str, Any]:
    """Return what is recorded of each recipe."""
    recipes = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = data_files(Path(folder))
        for name in names:
            place = Path(folder) / name
            place.mkdir()
            recipes[name], _ = gate.recipe_record(name, paths, place)
    return recipes


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["gate"]:
            record_gate()
        case ["gate", *names]:
            record_again(names)
        case ["runs", version]:
            stored.store(version)
        case _:
            sys.exit(__doc__)
