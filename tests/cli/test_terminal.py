"""What changes on a terminal: tables have headers, progress is a bar."""

from __future__ import annotations

import os
import pty
import re
import sys
from io import StringIO

import pytest

from genframe.cli.output import Bar, Lines, Messages, print_json, print_table

METRICS = {"step": 2.0, "lr": 1e-3, "rate": 1.5, "loss": 20.25}


def on_a_terminal(*words: str) -> str:
    """Return what genframe shows on a terminal, without its colours."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "90"}
        os.execv(sys.executable, [sys.executable, "-m", "genframe.cli", *words])
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the child has closed its end
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert status == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_tables_have_headers_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A person sees what a column is; a program gets rows and nothing else."""
    shown = on_a_terminal("list", "sampler")
    assert re.match(r"kind +component +what it is *\nsampler +\w+/\w+ +[A-Z]", shown)
    print_table(["kind", "component"], [["sampler", "core/ancestral"]])
    assert capsys.readouterr().out == "sampler  core/ancestral\n"


def test_brackets_in_a_table_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values such as [/x] are shown as they are, also where rich draws the table."""
    screen = StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", screen)
    print_table(["value"], [["[/x] [bold]"]])
    assert "[/x] [bold]" in screen.getvalue()


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures that are not finite are null, which every reader of JSON takes."""
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": ("×", None)})
    assert capsys.readouterr().out == '{\n "a": null,\n "b": [\n  null,\n  1.5\n ],\n "c": [\n  "×",\n  null\n ]\n}\n'


def test_the_bar_ends_where_training_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last state of the bar is that of the last step, however fast the steps were; the loss stands first."""
    screen = StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    with Bar() as bar:
        bar.begin("train", 3, 0)
        bar.advance(1)
        bar.metrics(1, METRICS)
        bar.message("[/x] a line above the bar")
        bar.advance(2)
        bar.advance(3)
    shown = screen.getvalue()
    assert "[/x] a line above the bar" in shown
    assert re.search(r"train .*3/3 .*loss 20.25  rate 1.5", shown.splitlines()[-1])


def test_lines_are_for_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a stage and a line of metrics, the loss first; messages go to standard error."""
    lines = Lines()
    lines.begin("train", 3, 1)
    lines.advance(2)
    lines.metrics(2, METRICS)
    lines.message("skipped")
    printed = capsys.readouterr()
    assert printed.out == "train: 3 steps, 1 of them done\nstep 2  loss 20.25  rate 1.5\n"
    assert printed.err == "skipped\n"


def test_beside_json_only_messages_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is for the JSON alone."""
    quiet = Messages()
    quiet.begin("train", 3, 0)
    quiet.metrics(1, METRICS)
    quiet.message("skipped")
    assert capsys.readouterr() == ("", "skipped\n")
