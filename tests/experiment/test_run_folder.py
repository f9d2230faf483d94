"""A run's folder: what is written can be read again, and what a crash left is survived."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from genframe import RunError, SpecError, StorageError
from genframe.experiment.document.loading import experiment_from, read_experiment
from genframe.experiment.document.spec import ExperimentSpec, check_experiment
from genframe.experiment.run.folder import RunFolder

MLP = {"type": "nets/mlp", "hidden": [4]}
PLAIN: dict[str, Any] = {
    "name": "folder",
    "data": {"type": "data/toy", "n": 60, "name": "ring8", "labels": True},
    "model": {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": MLP},
        "decoder": {"type": "vae/normal", "network": MLP},
        "condition": "core/one_hot",
        "loss": "vae/elbo",
    },
    "train": {"stages": [{"parts": ["encoder", "decoder", "condition"], "steps": 3}], "players": {"model": {"lr": 1e-05}}},
    "evaluate": {"metrics": ["metrics/elbo"]},
}


def begun(folder: Path) -> tuple[RunFolder, ExperimentSpec]:
    """Return the folder of a run that has just begun."""
    spec = experiment_from(PLAIN).spec
    files = RunFolder(folder / "run")
    files.make()
    files.begin(spec, check_experiment(spec))
    return files, spec


def test_the_experiment_reloads_equal(tmp_path: Path) -> None:
    """experiment.yaml gives the spec back, equal in every value, as a run's and as a plain file's."""
    files, spec = begun(tmp_path)
    assert files.experiment() == spec
    assert read_experiment(str(files.path / "experiment.yaml")).spec == spec
    assert files.experiment().digest() == spec.digest()


def test_every_default_is_written(tmp_path: Path) -> None:
    """The file holds each field of each nested spec, so that a default that changes later changes no run."""
    files, spec = begun(tmp_path)
    document: Any = read_experiment(str(files.path / "experiment.yaml")).document.value
    assert document == json.loads(spec.model_dump_json())
    assert set(document["train"]) == set(type(spec.train).model_fields)
    assert set(document["model"]["encoder"]["network"]) == {"type", "hidden", "activation", "dim", "norm", "dropout"}


def test_the_model_is_typed_without_its_data(tmp_path: Path) -> None:
    """The stored spaces are those of the data and the condition."""
    files, spec = begun(tmp_path)
    composition = files.composition(spec)
    assert (composition.data, composition.condition) == (spec.data.data_space(), spec.data.condition_space())


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    """Beginning a second run in a folder is refused and leaves the first as it was."""
    files, spec = begun(tmp_path)
    before = (files.path / "experiment.yaml").read_bytes()
    with pytest.raises(RunError, match="holds a run already; go on with it"):
        files.begin(spec, check_experiment(spec))
    assert (files.path / "experiment.yaml").read_bytes() == before


def test_only_training_may_change(tmp_path: Path) -> None:
    """An assignment changes the training; one to the model is refused; the file stays as it is."""
    files, spec = begun(tmp_path)
    assert files.experiment(["train.lr=0.5"]).train.lr == 0.5
    assert files.experiment() == spec
    with pytest.raises(RunError, match=r"fields of train only, found 'model\.loss=vae/iwae'"):
        files.experiment(["train.lr=0.5", "model.loss=vae/iwae"])


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    """A foreign folder and a missing one have no experiment."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match=r"is not a run: it has no experiment\.yaml"):
            RunFolder(path).experiment()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"data": null, "condition": null}', '{"data": {"kind": "real"}, "condition": null}', None]
)
def test_spaces_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    """spaces.json that is missing, cut short or of something else is an error of the run, by the file's name."""
    files, spec = begun(tmp_path)
    path = files.path / "spaces.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(RunError, match=r"spaces\.json does not say what data the model is for"):
        files.composition(spec)


def test_a_model_that_does_not_fit_its_spaces_says_why(tmp_path: Path) -> None:
    """Spaces that can be read and do not fit are a problem of types, not of the file."""
    files, spec = begun(tmp_path)
    spaces = json.loads((files.path / "spaces.json").read_text())
    (files.path / "spaces.json").write_text(json.dumps({**spaces, "condition": None}))
    with pytest.raises(SpecError, match=r"model\.condition"):
        files.composition(spec)


ROWS: list[dict[str, float]] = [
    {"step": 1.0, "loss": 0.1},
    {"step": 2.0, "loss": 1e-300},
    {"step": 2.0, "validation/loss": 3.0},
]


def test_metrics_come_back_to_the_last_bit(tmp_path: Path) -> None:
    """Rows are appended and read in their order, floats exactly."""
    files, _ = begun(tmp_path)
    assert files.log.rows() == []
    for row in ROWS:
        files.log.append(row)
    assert files.log.rows() == ROWS


def test_metrics_that_are_not_finite(tmp_path: Path) -> None:
    """NaN and infinity are null in the file, which any JSON reader takes, and NaN when they are read."""
    files, _ = begun(tmp_path)
    files.log.append({"step": 1.0, "a": math.nan, "b": math.inf, "c": 2.0})
    text = (files.path / "metrics.jsonl").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"step": 1.0, "a": None, "b": None, "c": 2.0}
    for row in (files.log.rows()[0], files.log.cut(1)[0]):
        assert math.isnan(row["a"])
        assert math.isnan(row["b"])
        assert row["c"] == 2


@pytest.mark.parametrize("kept", range(1, 28))
def test_a_half_written_last_line_is_survived(tmp_path: Path, kept: int) -> None:
    """However much of the last line a crash left, the others are read, and the next row gets a line of its own."""
    files, _ = begun(tmp_path)
    for row in ROWS:
        files.log.append(row)
    path = files.path / "metrics.jsonl"
    text = path.read_text()
    last = json.dumps({"step": 3.0, "loss": 123456.5})
    assert len(last) > kept
    path.write_text(text + last[:kept])
    assert files.log.rows() == ROWS
    assert files.log.cut(3) == ROWS
    files.log.append({"step": 3.0, "loss": 4.0})
    assert files.log.rows() == [*ROWS, {"step": 3.0, "loss": 4.0}]


def test_metrics_after_a_step_are_cut(tmp_path: Path) -> None:
    """What was logged after the step from which training goes on is dropped, on disk too; what is of the step stays."""
    files, _ = begun(tmp_path)
    for row in (*ROWS, {"step": 3.0, "loss": 7.0}):
        files.log.append(row)
    assert files.log.cut(2) == ROWS
    assert files.log.rows() == ROWS
    assert files.log.cut(0) == []
    assert (files.path / "metrics.jsonl").read_text() == ""


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A file that cannot be written is an error with its path, and what was there stays."""
    files, _ = begun(tmp_path)
    files.write("a.txt", "first")
    (files.path / f".tmp-a.txt-{os.getpid()}").mkdir()
    with pytest.raises(StorageError, match=r"a\.txt cannot be written"):
        files.write("a.txt", "second")
    assert (files.path / "a.txt").read_text() == "first"


def test_a_folder_where_a_file_stands(tmp_path: Path) -> None:
    """A run cannot be made below a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run").make()
