"""Write what the tests in this folder compare with.

``python -m tests.compat gate`` records the gate; ``python -m tests.compat runs VERSION`` stores a run of each family.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch

from genframe import installed
from tests.compat import gate, stored
from tests.recipes.small import data_files


def record_gate() -> None:
    """Record every recipe and every example."""
    recipes = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = data_files(Path(folder))
        for name in sorted(installed().recipes):
            place = Path(folder) / name
            place.mkdir()
            recipes[name], _ = gate.recipe_record(name, paths, place)
    examples = {kit.plugin: gate.example_records(kit) for kit in gate.conformance_classes()}
    record = {"machine": gate.machine(), "recipes": recipes, "examples": examples}
    gate.RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["gate"]:
            record_gate()
        case ["runs", version]:
            stored.store(version)
        case _:
            sys.exit(__doc__)
