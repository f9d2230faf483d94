"""Runs that an earlier genframe stored: what they must still give, and how a new one is stored."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from genframe import load, resume
from genframe.experiment.run.run import Run, default_condition
from genframe.roles import data_digest
from genframe.testing import train_interrupted
from tests.compat.families import FAMILIES, STEPS
from tests.compat.gate import machine

__all__ = ["FOLDER", "RECORD", "facts", "store"]

FOLDER: Final = Path(__file__).with_name("runs")
RECORD: Final = FOLDER / "runs.json"
DRAWN: Final = 4


def facts(folder: Path) -> dict[str, Any]:
    """Return what a run gives as it was stored, and what it becomes when it is resumed to its end."""
    (folder / "samples").mkdir(exist_ok=True)  # a version control system keeps no empty folder
    stored = _facts(load(folder))
    resume(folder)
    resumed = load(folder)
    losses = [row[key] for row in resumed.metrics for key in sorted(row) if key.startswith("loss")]
    return {"stored": stored, "resumed": {**_facts(resumed), "losses": losses}}


def _facts(run: Run) -> dict[str, Any]:
    samples = run.sample(DRAWN, default_condition(run.model, DRAWN), seed=1).x
    return {"step": run.step, "weights": run.model.weights_digest(), "samples": data_digest(samples)}


def store(version: str) -> None:
    """Store a run of each family, stopped halfway, and what it gives."""
    sys.argv = ["genframe"]  # kept in a run's environment
    record: dict[str, Any] = {}
    for name, experiment in FAMILIES.items():
        folder = FOLDER / version / name
        train_interrupted(experiment, folder, [STEPS])
        shutil.rmtree(folder / "samples")
        (folder / ".lock").unlink()
        copy = FOLDER / "copy"
        shutil.copytree(folder, copy)
        record[name] = facts(copy)
        shutil.rmtree(copy)
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    RECORD.write_text(json.dumps({**known, version: {"machine": machine(), "runs": record}}, indent=1) + "\n")
