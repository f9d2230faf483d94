"""The numbers of lines in the comparison of ``docs/python.md`` are those of the programs that were run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_lines_are_those_of_the_programs() -> None:
    """Each number stands in its row; in Lightning the module's four lines for the trainer count to the loader."""
    spec = importlib.util.spec_from_file_location("tries", ROOT / "tests" / "benchmarks" / "tries.py")
    assert spec is not None
    assert spec.loader is not None
    tries = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tries)
    table = (ROOT / "docs" / "python.md").read_text(encoding="utf-8").partition("| | genframe |")[2].partition("\n\n")[0]
    rows = [re.findall(r"\| (\d+)(?=[: |,])", row) for row in table.splitlines()[2:]]
    assert [[int(number) for number in row[1:]] for row in rows] == [
        [tries.lines(tries.zuko_vae), tries.lines(tries.lightning_vae) - 4],
        [tries.lines(tries.zuko_loader), tries.lines(tries.diffusers_loader), tries.lines(tries.lightning_loader)],
        [tries.lines(tries.lightning_gan)],
        [tries.lines(tries.zuko_flow)],
        [tries.lines(tries.diffusers_sampler)],
    ]
