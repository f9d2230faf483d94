"""R16: a run of every family that an earlier version stored loads, samples the same, and resumes to the same weights."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.compat.families import FAMILIES, MORE_STEPS
from tests.compat.gate import machine
from tests.compat.stored import FOLDER, RECORD, facts

RECORDED: dict[str, Any] = json.loads(RECORD.read_text())
RUNS = [(version, name) for version, record in RECORDED.items() for name in record["runs"]]


@pytest.mark.parametrize(("version", "name"), RUNS)
def test_a_stored_run_samples_and_resumes_as_before(version: str, name: str, tmp_path: Path) -> None:
    """To the last bit on the machine that stored it; elsewhere it loads, resumes to its end, and its first losses agree."""
    shutil.copytree(FOLDER / version / name, tmp_path / name)
    before, now = RECORDED[version]["runs"][name], facts(tmp_path / name)
    assert now["resumed"]["step"] == before["resumed"]["step"] == MORE_STEPS
    if RECORDED[version]["machine"] == machine():
        assert now == before
    first = before["stored"]["step"] + 1  # of the losses, the first that was computed here
    for one, other in zip(before["resumed"]["losses"][:first], now["resumed"]["losses"][:first], strict=True):
        assert math.isclose(one, other, rel_tol=1e-2, abs_tol=1e-2)


def test_every_family_is_stored() -> None:
    """The newest format has a run of each family."""
    newest = max(RECORDED)
    assert sorted(RECORDED[newest]["runs"]) == sorted(FAMILIES)
    assert sorted(folder.name for folder in (FOLDER / newest).iterdir()) == sorted(FAMILIES)
