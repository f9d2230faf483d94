"""``genframe table``: families trained with several seeds and measured in the same way."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from genframe.cli import main
from genframe.experiment import document as documents
from genframe_report.tables import Cell, mean_over_seeds

SUITE: dict[str, Any] = {
    "name": "points",
    "seeds": [0, 1],
    "budget": 1e-3,
    "set": {"train.threads": 1, "train.steps": 3, "data": {"type": "data/toy", "name": "moons", "n": 200}},
    "metrics": [{"type": "metrics/nll", "samples": 2}, {"type": "metrics/frechet", "n": 40}, "metrics/sampling_cost"],
    "columns": [
        {"figure": "nll", "title": "nats"},
        {"figure": "fd", "title": "FD, tenths", "scale": 10},
        {"figure": "network_calls", "title": "calls"},
    ],
    "rows": [
        {"family": "a Gaussian", "experiment": "own.yaml"},
        {"family": "a flow", "experiment": "spline-moons", "set": {"train.batch_size": 32}},
    ],
}
OWN = {
    "name": "own",
    "data": {"type": "data/toy", "name": "moons"},
    "model": {
        "encoder": {"type": "vae/gaussian", "dim": 1, "network": {"type": "nets/mlp", "hidden": [4]}},
        "decoder": {"type": "vae/normal", "network": {"type": "nets/mlp", "hidden": [4]}},
        "loss": "vae/elbo",
    },
}

CLASSIFIER = {
    "name": "classifier",
    "model": {
        "condition": {"type": "nets/mlp", "hidden": [4], "dim": 3},
        "encoder": "core/identity",
        "decoder": "core/identity",
        "prior": "core/categorical",
        "loss": "core/nll",
    },
}


def written(folder: Path, suite: dict[str, Any]) -> str:
    """Write a suite and the experiment beside it, and return the suite's path."""
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(documents.dump(OWN))
    (folder / "suite.yaml").write_text(documents.dump(suite))
    return str(folder / "suite.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the suite, its four runs, and the table as Markdown."""
    folder = tmp_path_factory.mktemp("table")
    words = [written(folder, SUITE), "--folder", str(folder / "runs"), "--jobs", "2", "--out", str(folder / "table.md")]
    assert main(["table", *words]) == 0
    return folder


def cells(made: Path) -> list[list[str]]:
    """Return the table's lines as cells."""
    lines = (made / "table.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_a_line_for_each_family(made: Path) -> None:
    """With the columns asked for, means over seeds, a sign before a bound, and data in the samples' place."""
    header, _, gaussian, flow, of_data = cells(made)
    assert header == ["family", "training, s", "nats", "FD, tenths", "calls"]
    assert gaussian[0] == "a Gaussian"
    assert gaussian[2].startswith("≤ ")
    assert not flow[2].startswith("≤ ")
    assert of_data[:3] == ["real data instead of samples", "", ""]
    assert gaussian[4] == "1"


def test_values_are_means_over_seeds(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the standard error of the mean, in the column's scale; nothing is trained or measured again."""
    stamps = {path: path.stat().st_mtime_ns for path in (made / "runs").rglob("*.json")}
    capsys.readouterr()
    assert main(["table", str(made / "suite.yaml"), "--folder", str(made / "runs"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    values = []
    for seed in SUITE["seeds"]:
        results = json.loads((made / f"runs/a-flow/seed-{seed}/results.json").read_text())["results"]
        values += [10 * one["value"] for one in results if one["name"] == "fd(values)"]
    figure = found["families"][1]["figures"]["fd"]
    assert figure["value"] == pytest.approx(statistics.fmean(values))
    assert figure["standard_error"] == pytest.approx(abs(values[0] - values[1]) / 2)
    assert values[0] != values[1]
    assert {path: path.stat().st_mtime_ns for path in (made / "runs").rglob("*.json")} == stamps


def test_what_is_to_be_known_stands_below(made: Path) -> None:
    """Seeds, the budget and who went beyond it, and in what the protocols of a column differ."""
    text = (made / "table.md").read_text(encoding="utf-8")
    assert "Means of 2 trainings with seeds 0, 1, with their standard error over seeds." in text
    assert "at most 0.001 each; * took longer." in text
    assert all(line[1].endswith(" *") for line in cells(made)[2:4])
    assert "Protocols of nats differ: " in text
    assert "kind is lower bound, exact" in text
    assert "Protocols of FD" not in text


def test_runs_of_other_settings_are_not_written_over(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A suite that was changed needs another folder."""
    suite = written(tmp_path / "changed", {**SUITE, "set": {**SUITE["set"], "train.lr": 0.5}})
    assert main(["table", suite, "--folder", str(made / "runs")]) == 5
    assert "seed-0 holds a run of other settings; remove it, or name another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [{"family": "x", "experiment": "nothing"}]}, "there is no recipe or file 'nothing'"),
        ({"columns": [{"figure": "fd", "title": "FD", "scale": 0}]}, "columns.0.scale: should be greater than 0, found 0"),
        ({"metrics": ["metrics/nlll"]}, "there is no metric 'metrics/nlll'; did you mean 'metrics/nll'?"),
        ({"budgett": 1}, "unknown field 'budgett'; did you mean 'budget'?"),
        ({"features": {"experiment": "own.yaml", "set": {"train.stepz": 1}}}, "unknown field 'stepz'; did you mean 'steps'?"),
        ({"set": {"train.stepz": 1}}, "unknown field 'stepz'; did you mean 'steps'?"),
        ({"set": {"model.prior": "flow/gaussian", "model.decoder": "core/inverse"}}, "model.decoder"),
    ],
)
def test_mistakes_are_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    """Whatever is wrong with the suite or an experiment in it is said at once, and nothing is made."""
    suite = written(tmp_path / "wrong", {**SUITE, **change})
    assert main(["table", suite, "--folder", str(tmp_path / "runs")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_seed_without_a_value_leaves_no_mean() -> None:
    """A mean over some of the seeds would be another number; one seed has no error."""

    assert mean_over_seeds([1.0, None]) is None
    assert mean_over_seeds([2.0]) == Cell(2.0, None)
    assert mean_over_seeds([1.0, 3.0]) == Cell(2.0, 1.0)
    broken = mean_over_seeds([1.0, math.nan])
    assert broken is not None
    assert math.isnan(broken.value)
    assert broken.standard_error is None


def test_features_of_an_experiment_with_settings(tmp_path: Path) -> None:
    """The experiment that gives features is trained with its own settings, and metrics compare its features."""
    classifier = {"data": {"type": "data/labels", "of": {"type": "data/toy", "name": "moons", "n": 200, "labels": True}}}
    features = {"experiment": "classifier.yaml", "set": {"train.steps": 2, "train.threads": 1}}
    metrics = [{"type": "metrics/frechet", "n": 40}]
    suite = {**SUITE, "seeds": [0], "features": features, "metrics": metrics, "rows": SUITE["rows"][:1]}
    path = written(tmp_path, suite)
    (tmp_path / "classifier.yaml").write_text(documents.dump({**CLASSIFIER, **classifier}))
    assert main(["table", path, "--folder", str(tmp_path / "runs")]) == 0
    assert "steps: 2" in (tmp_path / "runs/features/experiment.yaml").read_text()
    results = json.loads((tmp_path / "runs/a-gaussian/seed-0/results.json").read_text())["results"]
    assert {one["name"] for one in results} == {"fd(classifier)", "fd_of_data(classifier)"}
