"""A run remembers where each of its values was written."""

from __future__ import annotations

from pathlib import Path

from genframe.experiment.document.loading import experiment_from, read_experiment
from genframe.experiment.document.origins import GIVEN, differing, values, written
from genframe.experiment.run.folder import RunFolder
from genframe.experiment.run.resume import resume
from genframe.experiment.run.training import train

TEXT = """name: mine
data: {type: data/digits, limit: 160}
model:
  encoder: {type: nets/mlp, hidden: [2], dim: 2}
  decoder: {type: nets/mlp, hidden: [2]}
  loss: vae/reconstruction
train: {steps: 2, threads: 1}
"""
OVERRIDES = ["train.lr=2e-3", "evaluate.metrics=[{type: metrics/reconstruction}]"]


def test_a_run_keeps_its_origins_and_a_resumed_one_what_changed(tmp_path: Path) -> None:
    """Lines of the file, overrides of training and of resuming; defaults are not listed."""
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    train(read_experiment(str(path), OVERRIDES), folder=tmp_path / "run")
    found = RunFolder(tmp_path / "run").origins()
    assert found is not None
    assert found["model.encoder.dim"] == f"{path}:4"
    assert found["model.loss.type"] == f"{path}:6"
    assert found["train.steps"] == f"{path}:7"
    assert found["train.lr"] == "<override 'train.lr=2e-3'>"
    assert found["evaluate.metrics.0.type"] == f"<override '{OVERRIDES[1]}'>"
    assert not {"train.batch_size", "model.prior.type", "model.encoder.activation"} & set(found)
    resume(tmp_path / "run", ["train.steps=3"])
    assert RunFolder(tmp_path / "run").origins() == {**found, "train.steps": "<override 'train.steps=3'>"}


def test_values_from_python_are_given() -> None:
    """Plain data and specs have no lines: what they say is given, all else a default."""
    plain = {"name": "x", "data": "data/digits", "model": {"decoder": "nets/mlp", "encoder": "nets/mlp", "loss": "vae/elbo"}}
    experiment = experiment_from(plain)
    expected = dict.fromkeys(("name", "data.type", "model.encoder.type", "model.decoder.type", "model.loss.type"), GIVEN)
    assert written(experiment) == expected
    assert {value.path: value.origin for value in values(experiment)}["train.lr"] == "default"


def test_a_spec_from_python_is_given_too(tmp_path: Path) -> None:
    """A ready spec remembers which of its fields were set."""
    spec = experiment_from(
        {"name": "x", "data": {"type": "data/digits", "limit": 60}, "model": MODEL, "train": {"steps": 1, "batch_size": 32}}
    ).spec
    train(spec, folder=tmp_path / "run")
    found = RunFolder(tmp_path / "run").origins()
    assert found is not None
    assert set(found.values()) == {GIVEN}
    assert "train.steps" in found
    assert "train.lr" not in found


MODEL = {
    "encoder": {"type": "nets/mlp", "hidden": [2], "dim": 2},
    "decoder": {"type": "nets/mlp", "hidden": [2]},
    "loss": "vae/reconstruction",
}


def test_a_run_without_origins_tells_defaults_from_the_rest() -> None:
    """An older run does not say where values were written; that they differ from the default can be seen."""
    spec = experiment_from({"name": "x", "data": "data/digits", "model": MODEL, "train": {"steps": 7, "lr": 1e-3}}).spec
    found = {value.path: value.origin for value in differing(spec, None)}
    assert found["train.steps"] == GIVEN
    assert found["train.lr"] == "default", "it was written, but as the default is"
