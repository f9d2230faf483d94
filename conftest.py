"""Settings of every test: one thread per process, and the same random numbers whatever ran before; the command line.

Tests run side by side and some fork. A process whose OpenMP threads are running cannot be forked safely;
with one thread there are none.
"""

import json
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
CACHE = tempfile.TemporaryDirectory(prefix="genframe-cache-")  # removed when the process ends
os.environ["GENFRAME_CACHE"] = CACHE.name


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same state of the global generators; torch and numpy are not imported for it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def genframe(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command that exits with ``code``; return what it printed, or its line on standard error if it failed."""
    from genframe.cli import main

    def run(*words: str | Path, code: int = 0) -> Any:
        capsys.readouterr()
        try:
            found = main([str(word) for word in words])
        except SystemExit as stop:
            found = int(stop.code or 0)
        printed = capsys.readouterr()
        assert found == code, printed.err
        assert "Traceback" not in printed.err
        if code:
            assert printed.err.count("\n") == 1, "an error is one line"
            return printed.err.rstrip("\n")
        return json.loads(printed.out) if "--json" in words else printed.out

    return run
