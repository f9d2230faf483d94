"""``genframe compare``, as a user gives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from genframe import Evaluation, MetricResult
from genframe_report.comparison import with_error

Command: TypeAlias = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own, on a terminal of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def result(name: str, value: float, error: float | None = None, unit: str = "nats", **stamp: Any) -> MetricResult:
    """Return a result with a stamp."""
    protocol = {"split": "test", "seed": 0, "protocol": {"binarisation": "none"}} | stamp
    return MetricResult(name, value, unit, protocol, error)


def measured(name: str, *results: MetricResult) -> str:
    """Make a run's folder that holds these results, and return it."""
    Path(name).mkdir(parents=True)
    Path(name, "experiment.yaml").write_text("")
    Path(name, "results.json").write_text(json.dumps(Evaluation(results, {}).to_dict()))
    return name


def test_runs_side_by_side(genframe: Command) -> None:
    """One row per metric, one column per run, with standard errors; a metric that a run lacks is a dash."""
    one = measured("runs/vae", result("nll", 91.3951, 0.5512), result("modes", 25.0, unit="of 25"))
    other = measured("runs/flow", result("nll", 90.0, 1.25))
    assert genframe("compare", one, other) == (
        "                       vae        flow\n"
        "nll, nats     91.40 ± 0.55  90.0 ± 1.2\n"
        "modes, of 25            25           -\n"
    )
    assert genframe("compare", one, other, "--markdown") == (
        "|  | vae | flow |\n| --- | ---: | ---: |\n| nll, nats | 91.40 ± 0.55 | 90.0 ± 1.2 |\n| modes, of 25 | 25 | - |\n"
    )


def test_unlike_protocols_are_not_compared(genframe: Command) -> None:
    """The row is left out and the fields that differ are named with what they say; --mark shows it with a note."""
    one = measured("a", result("nll", 1.0, kind="exact"), result("mmd2", 0.5, unit=""))
    other = measured(
        "b", result("nll", 2.0, kind="lower bound", protocol={"binarisation": "static"}), result("mmd2", 0.25, unit="")
    )
    printed = genframe("compare", one, other)
    table, _, note = printed.partition("\n\n")
    assert table.splitlines() == ["        a     b", "mmd2  0.5  0.25"]
    why = "nll: protocol.binarisation is none, static; kind is exact, lower bound\n"
    assert note == f"not compared, because protocols differ (--mark shows them):\n{why}"
    marked = genframe("compare", one, other, "--mark")
    assert "nll, nats [1]    1     2" in marked
    assert marked.endswith(f"of different protocols:\n[1] {why}")


def test_json_gives_all_results_and_says_what_differs(genframe: Command) -> None:
    """Stamps are in it, and not-a-number is null."""
    one, other = measured("a", result("nll", float("nan"))), measured("b", result("nll", 2.0), result("x", 1.0, seed=1))
    third = measured("c", result("nll", 2.0), result("x", 2.0, seed=2))
    found = genframe("compare", one, other, third, "--json")
    assert found["runs"] == ["a", "b", "c"]
    assert [(row["name"], row["differing"]) for row in found["figures"]] == [("nll", []), ("x", ["seed"])]
    assert found["figures"][0]["results"][0]["value"] is None
    assert found["figures"][1]["results"][0] is None


def test_many_runs_go_below_each_other(genframe: Command) -> None:
    """Where columns do not fit into the terminal, they follow in a further block; no line is too wide."""
    runs = [measured(f"run-number-{number}", result("nll", 1.0 + number, 0.01)) for number in range(9)]
    printed = genframe("compare", *runs)
    assert max(map(len, printed.splitlines())) <= 100
    assert printed.count("nll, nats") == 2
    assert all(run in printed for run in runs)


def test_folders_of_one_name_are_told_apart(genframe: Command) -> None:
    """The columns are then whole paths."""
    runs = [measured(f"{where}/run", result("nll", 1.0)) for where in "ab"]
    assert genframe("compare", *runs).splitlines()[0].split() == runs


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a"], 2, "one run cannot be compared; name two or more"),
        (["a", "nowhere"], 5, "nowhere is not a run: it has no experiment.yaml"),
        (["a", "unmeasured"], 5, "unmeasured has no results yet; measure it: genframe evaluate unmeasured"),
        (["a", "broken"], 5, "does not hold results"),
        (["a", "stranger"], 5, "stranger/results.json does not hold results ('refused'); measure again"),
        (["a", "other"], 9, "no metric of these runs compares: they have none in common"),
        (["a", "unlike"], 9, "no metric of these runs compares: their protocols differ: nll by seed; --mark shows them"),
    ],
)
def test_mistakes_are_one_line(genframe: Command, words: list[str], code: int, message: str) -> None:
    """Whatever cannot be compared is said in one line with its exit code."""
    measured("a", result("nll", 1.0))
    measured("other", result("mmd2", 1.0))
    measured("unlike", result("nll", 1.0, seed=1))
    for name, text in {"broken": "{", "stranger": '{"results": []}', "unmeasured": None}.items():
        Path(name).mkdir()
        Path(name, "experiment.yaml").write_text("")
        if text is not None:
            Path(name, "results.json").write_text(text)
    said = genframe("compare", *words, code=code)
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, None, "1.235"),
        (91.3951, 0.5512, "91.40 ± 0.55"),
        (-0.00013, 0.00027, "-0.00013 ± 0.00027"),
        (1234.5, 56.7, "1234 ± 57"),
        (3.78e-5, 2.6e-5, "(3.8 ± 2.6)e-5"),
        (2.5, 0.0, "2.5 ± 0"),
        (float("nan"), 0.1, "nan"),
        (1.0, float("nan"), "1"),
    ],
)
def test_values_have_two_digits_of_their_error(value: float, error: float | None, text: str) -> None:
    """And four of their own where there is none."""
    assert with_error(value, error) == text
