"""``genframe report`` and ``genframe_report.report``: what they write, refuse and show; where values came from."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from genframe import CheckpointError, RunError
from genframe.cli import main
from genframe_report import report


def test_the_spec_says_where_its_values_came_from(run: Path) -> None:
    """The recipe's line, an override, or among the defaults; a run that does not know says so."""
    html = report(run).html
    assert "<code>train.steps</code></th><td><code>6</code></td><td>override</td>" in html
    assert re.search(
        r"<code>model.condition.type</code></th><td><code>core/one_hot</code></td><td>recipe cvae-digits:\d+</td>", html
    )
    written, _, defaults = html.partition(" defaults</summary>")
    assert "<code>train.accumulate</code>" in defaults
    assert "<code>train.accumulate</code>" not in written
    (run / "origins.json").unlink()
    html = report(run).html
    assert "<code>train.steps</code></th><td><code>6</code></td><td>not the default</td>" in html
    assert "The run does not say where its values were written." in html


def test_points_are_drawn_in_numbers(tmp_path: Path) -> None:
    """In a plane there are enough fresh samples to see a shape, and the command draws as many."""
    words = [
        "data.n=100",
        "train.batch_size=64",
        "train.steps=1",
        "train.threads=1",
        "evaluate.metrics=[]",
        "train.compile=off",
    ]
    assert main(["train", "spline-moons", *words, "--run", str(tmp_path / "run"), "--json"]) == 0
    html = report(tmp_path / "run").html
    assert "1024 samples at step 1, seed 1" in html
    assert "-n 1024 --seed 1</code>" in html


def test_the_command_writes_into_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``report.html`` beside the run's files, or where ``--out`` says; ``--json`` names what is absent."""
    assert main(["report", "run"]) == 0
    assert capsys.readouterr().out == "run/report.html\n"
    assert (run / "report.html").read_text(encoding="utf-8") == report(run).html
    (run / "samples" / "step-00000002.png").write_bytes(b"")
    assert main(["report", "run", "--out", "a/b.html", "--seed", "4", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["out"] == "a/b.html"
    assert found["bytes"] == Path("a/b.html").stat().st_size
    assert list(found["absent"]) == ["Samples through training"]
    assert printed.err.startswith("samples through training: run/samples/step-00000002.png ")
    assert "--seed 4" in Path("a/b.html").read_text()


def test_refusals(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No run, no checkpoint, another kind of file: one line each, with its exit code; nothing is written."""
    with pytest.raises(RunError, match="is not a run"):
        report("nowhere")
    with pytest.raises(SystemExit):
        main(["report", "run", "--out", "report.pdf"])
    assert "expected a file that ends in .html" in capsys.readouterr().err
    for weights in run.glob("checkpoints/*/tensors.safetensors"):
        weights.write_bytes(b"")
    with pytest.raises((CheckpointError, RunError)):
        report(run)
    assert not (run / "report.html").exists()


def test_a_report_shows_itself(run: Path) -> None:
    """In a notebook: the page in a frame of its own, that cannot run anything; in words, its size."""
    made = report(run)
    frame = Frame(made._repr_html_()).frame
    assert frame["srcdoc"] == made.html
    assert frame["sandbox"] == ""
    assert frame["title"] == "Report of cvae-digits"
    assert re.fullmatch(r"Report\('cvae-digits', 0\.\d\d MB\)", repr(made))
    assert made.save(run / "x.html").read_text(encoding="utf-8") == made.html


class Frame(HTMLParser):
    """Reads one frame."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.frame: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "iframe"
        self.frame = {name: value or "" for name, value in attrs}
