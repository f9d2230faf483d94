"""R7b, R10, R12: a run is continued on what it was trained on, or says that it is not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genframe import (
    CheckpointError,
    DataError,
    Dataset,
    ExperimentSpec,
    Real,
    Split,
    StorageError,
    evaluate,
    load,
    resume,
    train,
)
from genframe.training.reporter import Silent

ROWS = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")


def experiment(folder: Path, **settings: Any) -> dict[str, Any]:
    """Return a small VAE on an array."""
    network = {"type": "nets/mlp", "hidden": [8]}
    return {
        "name": "changed",
        "data": {"type": "data/npz", "path": str(folder / "rows.npz"), "layout": "vector"},
        "model": {
            "encoder": {"type": "vae/gaussian", "dim": 2, "network": network},
            "decoder": {"type": "vae/normal", "network": network},
            "loss": "vae/elbo",
        },
        "train": {"steps": 6, "batch_size": 16, "log_every": 2, "checkpoint_every": 3, **settings},
        "evaluate": {"metrics": [{"type": "metrics/nll", "samples": 2}]},
    }


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, beside its data."""
    folder = tmp_path_factory.mktemp("changed")
    np.savez(folder / "rows.npz", x=ROWS)
    train(experiment(folder), folder=folder / "run")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run; its experiment names the copy's data."""
    shutil.copytree(trained, tmp_path / "copy")
    text = (tmp_path / "copy/run/experiment.yaml").read_text()
    (tmp_path / "copy/run/experiment.yaml").write_text(text.replace(str(trained), str(tmp_path / "copy")))
    return tmp_path / "copy"


class Ear(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)


def content(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a run but its lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def edit(place: Path, before: str, after: str) -> None:
    """Change the experiment of a run by hand."""
    path = place / "run/experiment.yaml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))


OTHER_ROWS: dict[str, np.ndarray[Any, Any]] = {
    "other values": ROWS + 1,
    "fewer rows": ROWS[:100],
    "more rows": np.concatenate([ROWS, ROWS]),
    "another order": ROWS[::-1].copy(),
}


@pytest.mark.parametrize("rows", OTHER_ROWS.values(), ids=OTHER_ROWS)
def test_other_data_is_refused(place: Path, rows: np.ndarray[Any, Any]) -> None:
    """Resume and evaluate name what was recorded and what is there; the run stays as it was, byte for byte."""
    np.savez(place / "rows.npz", x=rows)
    before = content(place / "run")
    with pytest.raises(DataError, match=r"was trained on other data: the split 'train' has changed: data was .* and is .*"):
        resume(place / "run", ["train.steps=9"])
    with pytest.raises(DataError, match="allow-changed-data"):
        evaluate(load(place / "run"))
    assert content(place / "run") == before


def test_changed_data_can_be_allowed(place: Path) -> None:
    """Then training continues, and the run keeps both records."""
    np.savez(place / "rows.npz", x=ROWS + 1)
    first = json.loads((place / "run/data.json").read_text())["splits"]["train"]
    assert resume(place / "run", ["train.steps=9"], allow_changed_data=True).step == 9
    now = json.loads((place / "run/data.json").read_text())
    assert now["splits"]["train"]["data"] != first["data"]
    assert now["earlier"] == [{"until_step": 6, "splits": now["earlier"][0]["splits"]}]
    assert now["earlier"][0]["splits"]["train"] == first
    assert resume(place / "run", ["train.steps=12"]).step == 12  # on what the last training read


def test_another_preparation_is_refused(place: Path) -> None:
    """The same file, split by another seed, is other data."""
    edit(place, "seed: 0\n  limit", "seed: 1\n  limit")
    with pytest.raises(DataError, match="seed was 0 and is 1"):
        resume(place / "run", ["train.steps=9"])


def test_data_from_python_has_to_be_handed_in_again(tmp_path: Path) -> None:
    """A run that was trained on data=... does not read its experiment's data instead."""
    np.savez(tmp_path / "rows.npz", x=ROWS)
    spec = ExperimentSpec.model_validate(experiment(tmp_path))
    splits = {name: Split(name, torch.randn(40, 4)) for name in ("train", "validation", "test")}
    own = Dataset(Real((4,)), splits)
    train(spec, data=own, folder=tmp_path / "run")
    with pytest.raises(DataError, match=r"handed in from Python; hand it in again, as data="):
        resume(tmp_path / "run", ["train.steps=9"])
    with pytest.raises(DataError, match="handed in"):
        evaluate(load(tmp_path / "run"))
    assert evaluate(load(tmp_path / "run"), data=own).results
    with pytest.raises(DataError, match="trained on other data"):
        resume(
            tmp_path / "run",
            ["train.steps=9"],
            data=Dataset(Real((4,)), {**splits, "train": Split("train", torch.ones(40, 4))}),
        )
    assert resume(tmp_path / "run", ["train.steps=9"], data=own).step == 9


SAID = {
    "precision": ("precision: float32", "precision: bfloat16", "train.precision was float32 and is bfloat16"),
    "rate": ("lr: 0.001", "lr: 0.01", "train.lr was 0.001 and is 0.01"),
    "seed": ("seed: 0\n  on_nonfinite", "seed: 5\n  on_nonfinite", "train.seed was 0 and is 5"),
    "batch": ("batch_size: 16", "batch_size: 8", "train.batch_size was 16 and is 8"),
}


@pytest.mark.parametrize(("before", "after", "said"), SAID.values(), ids=SAID)
def test_another_setting_is_said_and_refused_where_exactness_is_asked_for(
    place: Path, before: str, after: str, said: str
) -> None:
    """A hand-edited experiment continues with a line that names field and values; --require-exact refuses it."""
    edit(place, before, after)
    edit(place, "steps: 6", "steps: 9")
    with pytest.raises(CheckpointError, match=said):
        resume(place / "run", require_exact=True)
    ear = Ear()
    assert resume(place / "run", reporter=ear).step == 9
    assert [line for line in ear.said if said in line] != []


FIXED = {
    "average": (["train.ema=0.9"], "train.ema was None and is 0.9"),
    "optimizer": (["train.optimizer=sgd"], "train.optimizer was adamw and is sgd"),
    "stages": (["train.stages=[{parts: [encoder], steps: 9}]"], "train.stages was"),
}


@pytest.mark.parametrize(("assignments", "said"), FIXED.values(), ids=FIXED)
def test_what_cannot_change_is_refused_by_its_field(place: Path, assignments: list[str], said: str) -> None:
    """The message names the field, and the run stays as it was: its experiment does not say what was refused."""
    before = content(place / "run")
    with pytest.raises(CheckpointError, match=said):
        resume(place / "run", [*assignments, "train.steps=9"])
    assert content(place / "run") == before


def test_another_model_is_refused_by_its_field(place: Path) -> None:
    """Weights that do not fit are told as the change of the experiment that made them so."""
    edit(place, "dim: 2", "dim: 3")
    with pytest.raises(CheckpointError, match=r"is of another model: model.encoder.dim was 2 and is 3"):
        resume(place / "run", ["train.steps=9"])


def test_other_batches_continue_at_the_same_place_in_the_epoch(place: Path) -> None:
    """After 6 batches of 16 of 96 rows an epoch is over; after 3 of them 48 rows were seen, which is 6 batches of 8."""
    shutil.rmtree(place / "run/checkpoints/step-00000006")
    resume(place / "run", ["train.batch_size=8", "train.steps=4"])
    state = json.loads((place / "run/checkpoints/step-00000004/state.json").read_text())
    assert (state["epoch"], state["position"]) == (0, 7)


def test_bounds_are_the_same_at_both_ends(tmp_path: Path) -> None:
    """A number of threads that no resume would take is refused before training."""
    with pytest.raises(Exception, match=r"threads.*(less than or equal to|at most|≤) ?1024"):
        train(experiment(tmp_path, threads=1025), folder=tmp_path / "run")


def damage(path: Path, kind: str) -> None:
    """Put something else in the place of a file."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "bytes":
        path.write_bytes(bytes(range(256)) * 40)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "lines":
        path.write_text('{"step": 1, "loss": 2}\n' * 200_000)


@pytest.mark.parametrize("kind", ["bytes", "folder", "pipe", "lines", "nothing"])
@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "results.json", "environment.json", "origins.json", "samples", "report.html"]
)
def test_a_damaged_auxiliary_file_keeps_no_weights_from_being_used(place: Path, name: str, kind: str) -> None:
    """R12: the run loads, samples and continues whatever lies in the place of its smaller files."""
    damage(place / "run" / name, kind)
    run = load(place / "run")
    assert len(run.sample(2)) == 2
    assert isinstance(run.metrics, list)
    assert repr(run)
    if (name, kind) in {("environment.json", "folder"), ("data.json", "folder")}:
        with pytest.raises(StorageError, match="cannot be written"):  # what training has to write there
            resume(place / "run", ["train.steps=8"])
        return
    assert resume(place / "run", ["train.steps=8"]).step == 8


def test_samples_as_a_link_are_refused(place: Path, tmp_path: Path, genframe: Callable[..., Any]) -> None:
    """R4: nothing is written through a link that leads out of the run."""
    shutil.rmtree(place / "run/samples")
    (tmp_path / "elsewhere").mkdir()
    (place / "run/samples").symlink_to(tmp_path / "elsewhere")
    line = genframe("resume", place / "run", "train.steps=8", code=5)
    assert "samples is a link" in line
    assert list((tmp_path / "elsewhere").iterdir()) == []


WRONG_STATES = (
    ("step", "6"),
    ("epoch", -1),
    ("position", 10**30),
    ("python_rng", [3, [1], None]),
    ("numpy_rng", ["MT19937", [], 700, 0, 0.0]),
    ("pending", 3),
    ("lr_scale", 0),
    ("compile", "yes"),
    ("stage", 4),
    ("environment", []),
)


@pytest.mark.parametrize(("field", "value"), WRONG_STATES, ids=[field for field, _ in WRONG_STATES])
def test_a_state_of_other_types_is_a_checkpoint_error(place: Path, field: str, value: Any) -> None:
    """Nothing in state.json reaches a training as another type than was written."""
    path = place / "run/checkpoints/step-00000006"
    state = json.loads((path / "state.json").read_text())
    text = json.dumps({**state, field: value}, separators=(",", ":"), ensure_ascii=False).encode()
    (path / "state.json").write_bytes(text)
    manifest = json.loads((path / "MANIFEST.json").read_text())
    manifest["files"]["state.json"] = {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    (path / "MANIFEST.json").write_text(json.dumps(manifest, separators=(",", ":")))
    with pytest.raises(CheckpointError):
        resume(place / "run", ["train.steps=9"])


class Mover(Silent):
    """Moves the run's folder away in the middle of its training."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def advance(self, step: int) -> None:
        """Move it after the fourth step."""
        if step == 4:
            (self.place / "run").rename(self.place / "moved")


def test_a_folder_that_is_moved_loses_nothing(tmp_path: Path) -> None:
    """R4: training ends in one line, makes no second folder, and the run is continued where it is now."""
    np.savez(tmp_path / "rows.npz", x=ROWS)
    with pytest.raises(StorageError, match="No such file or directory"):
        train(experiment(tmp_path), folder=tmp_path / "run", reporter=Mover(tmp_path))
    assert not (tmp_path / "run").exists()
    assert resume(tmp_path / "moved").step == 6
