"""The command line as a function, for every test of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genframe.cli import main


@pytest.fixture
def genframe(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command that gives ``code``; return what it printed, or said on standard error where it failed."""

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
