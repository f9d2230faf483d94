"""S10: text of files is made visible before a terminal shows it; JSON that is printed stays the same."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genframe.cli import main
from genframe.types.text import Printable, printable

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
HOSTILE = "a\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp.exe"


@given(st.text())
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    """Control characters are gone, all others are as they were, and twice is as once."""
    shown = printable(text)
    assert not CONTROL.search(shown)
    assert printable(shown) == shown
    assert CONTROL.search(text) or shown == text


@given(st.text())
def test_json_says_the_same(text: str) -> None:
    """A JSON document that passes through the stream is read back as the same value."""
    stream = io.StringIO()
    Printable(stream).write(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(stream.getvalue()) == {text: text}


@pytest.mark.parametrize("place", ["field", "name", "value"])
def test_refusals_of_files_are_visible(tmp_path: Path, genframe: Callable[..., Any], place: str) -> None:
    """A hostile field, component or value of an experiment reaches the terminal as visible text."""
    spec: dict[str, Any] = {"name": "a", "data": "data/digits", "model": {"decoder": "vae/normal", "loss": "vae/elbo"}}
    if place == "field":
        spec["model"][HOSTILE] = 1
    elif place == "name":
        spec["model"]["decoder"] = HOSTILE
    else:
        spec["train"] = {"optimizer": HOSTILE}
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(spec))
    line = genframe("check", path, code=2)
    assert not CONTROL.search(line)


def test_a_hostile_name_of_a_file_is_visible(tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """So is the path of a file itself."""
    line = genframe("check", tmp_path / f"{HOSTILE}.yaml".replace("/", ""), code=2)
    assert not CONTROL.search(line)


def test_the_code_says_what_no_stream_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard error cannot be written either, the exit code is still that of the error."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    assert main(["check", str(tmp_path / "nothing.yaml")]) == 2
