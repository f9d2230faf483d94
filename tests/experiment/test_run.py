"""Runs in memory and in a folder: what they write, carry and give back."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from markupsafe import escape
from torch import Tensor

from genframe import (
    Categorical,
    CheckpointError,
    Dataset,
    DatasetSpec,
    Encoder,
    Metric,
    MetricResult,
    MetricSpec,
    Model,
    Real,
    RunError,
    Space,
    Spaces,
    Split,
    generator_for,
)
from genframe.experiment.document.loading import read_experiment
from genframe.experiment.document.spec import ExperimentSpec
from genframe.experiment.run import checkpoint
from genframe.experiment.run.evaluation import Evaluation, evaluate
from genframe.experiment.run.resume import is_complete, resume
from genframe.experiment.run.run import Run, default_condition, load
from genframe.experiment.run.training import train
from genframe.output.picture import read_info, save
from genframe.training.reporter import Silent
from genframe.training.signals import Interrupted

MLP = {"type": "nets/mlp", "hidden": [4]}
IMAGE = Real((1, 2, 2), 0, 1)


class Squares(DatasetSpec):
    """Small random pictures with a condition of any space."""

    type: Literal["test/squares"] = "test/squares"
    conditions: ClassVar[dict[str, Space | None]] = {
        "none": None,
        "class": Categorical((), 3),
        "classes": Categorical((2,), 3),
        "real": Real((2,)),
    }

    condition: Literal["none", "class", "classes", "real"] = "none"

    def data_space(self) -> Space:
        """Return small pictures."""
        return IMAGE

    def condition_space(self) -> Space | None:
        """Return the condition's space."""
        return self.conditions[self.condition]

    def load(self) -> Dataset:
        """Return the data."""
        space, draw = self.condition_space(), generator_for("cpu", 3)
        conditions = None if space is None else torch.randint(0, 3, (40, *space.shape), generator=draw)
        if isinstance(space, Real) and conditions is not None:
            conditions = conditions.float()
        x = torch.rand(40, *IMAGE.shape, generator=draw)
        splits = {name: Split(name, x, conditions) for name in ("train", "validation", "test")}
        return Dataset(IMAGE, splits, space)


class Odd(MetricSpec):
    """A figure that is not finite, in its stamp too."""

    type: Literal["test/odd"] = "test/odd"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        return OddMetric()


class OddMetric(Metric):
    """Returns NaN, infinity and a half."""

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return the figures."""
        stamp = {"split": split.name, "scales": [1.0, math.inf], "inner": {"width": math.nan}}
        return [MetricResult(name, value, "units", stamp, math.nan) for name, value in (("a", math.nan), ("b", 0.5))]


def experiment(condition: str = "none", **fields: Any) -> ExperimentSpec:
    """Return a tiny experiment."""
    model: dict[str, Any] = {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": MLP},
        "decoder": {"type": "vae/normal", "network": MLP},
        "loss": "vae/elbo",
    }
    if condition != "none":
        encoder = {**MLP, "dim": 3} if condition == "real" else "core/one_hot"
        model["condition"] = encoder
    settings = {"steps": 6, "batch_size": 8, "threads": 1, "device": "cpu", "log_every": 2, "checkpoint_every": 2, **fields}
    return ExperimentSpec.model_validate(
        {
            "name": "tiny",
            "data": Squares(condition=condition),  # type: ignore[arg-type]
            "model": model,
            "train": settings,
            "evaluate": {"metrics": (Odd(),)},
        }
    )


def weights(run: Run) -> dict[str, Tensor]:
    """Return the model's tensors."""
    return dict(run.model.state_dict())


def figures(run: Run) -> list[Mapping[str, float]]:
    """Return the metrics without times."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in run.metrics]


def test_a_run_in_memory_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder, training and evaluation leave no file, and give the weights and metrics of a run with one."""
    monkeypatch.chdir(tmp_path)
    run = train(experiment(sample_every=2, ema=0.5))
    evaluate(run)
    assert list(tmp_path.iterdir()) == []
    assert (run.folder, run.step, run.checkpoint) == (None, 6, "")
    kept = train(experiment(sample_every=2, ema=0.5), folder=tmp_path / "run")
    assert figures(run) == figures(kept)
    assert all(torch.equal(tensor, weights(kept)[name]) for name, tensor in weights(run).items())
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {
        "experiment.yaml",
        "metrics.jsonl",
        "checkpoints",
        "samples",
    }


def generators() -> tuple[Any, ...]:
    """Return the state of every global generator, and the number of threads."""
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    return torch.get_rng_state().tolist(), python, str(numpy), torch.get_num_threads()


def test_training_leaves_generators_and_threads_as_they_were() -> None:
    """Nothing global is different after training, whatever it drew and however many threads it used."""
    torch.manual_seed(123)
    before = generators()
    train(experiment(threads=torch.get_num_threads() + 1, validate_every=2, sample_every=2))
    assert generators() == before


def test_a_training_is_a_function_of_its_seed() -> None:
    """The state of the global generators before it does not matter; the seed does."""
    torch.manual_seed(1)
    first = train(experiment())
    torch.manual_seed(2)
    _ = random.random(), np.random.random()
    assert figures(train(experiment())) == figures(first)
    assert figures(train(experiment(seed=1))) != figures(first)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A finished run with pictures on the way, and its folder."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, train(experiment(sample_every=4, ema=0.5), folder=folder)


def reloaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Load a run whose components no plugin has."""
    monkeypatch.setattr("genframe.experiment.run.run.RunFolder.experiment", lambda _: experiment(sample_every=4, ema=0.5))
    return load(folder)


def test_training_into_a_run_is_refused(finished: tuple[Path, Run]) -> None:
    """A folder that holds a run is left as it is."""
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}
    with pytest.raises(RunError, match="holds a run already"):
        train(experiment(), folder=folder)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"}
    assert {path for path in before if before[path] != after.get(path)} <= {folder}


def test_a_loaded_run_is_the_trained_one(finished: tuple[Path, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights (the averaged ones), step, digest and metrics come back to the bit."""
    folder, trained = finished
    found = reloaded(folder, monkeypatch)
    assert all(torch.equal(tensor, weights(found)[name]) for name, tensor in weights(trained).items())
    assert (found.step, found.checkpoint, found.metrics) == (trained.step, trained.checkpoint, trained.metrics)
    assert torch.equal(found.sample(70, seed=3).x, trained.sample(70, seed=3).x)


def test_the_last_picture_can_be_drawn_again(
    finished: tuple[Path, Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The picture carries count, seed and the checkpoint of its weights: drawing from that gives the same pixels."""
    folder, trained = finished
    path = folder / "samples" / "step-00000006.png"
    info = read_info(path)
    assert (info["step"], info["seed"], info["n"], info["checkpoint"]) == (6, 0, 64, trained.checkpoint)
    assert len(info["checkpoint"]) == 64
    assert info["experiment"] == json.loads(trained.experiment.model_dump_json())
    samples = reloaded(folder, monkeypatch).sample(info["n"], seed=info["seed"])
    save(tmp_path / "again.png", samples.x, samples.space, info)
    assert (tmp_path / "again.png").read_bytes() == path.read_bytes()


def test_a_picture_on_the_way_names_the_checkpoint_of_its_weights(finished: tuple[Path, Run], tmp_path: Path) -> None:
    """Drawn where a checkpoint was made it names that one; drawn between checkpoints it names none."""
    folder, trained = finished
    named = read_info(folder / "samples" / "step-00000004.png")["checkpoint"]
    assert len(named) == 64
    assert named != trained.checkpoint
    train(experiment(sample_every=3), folder=tmp_path / "run")
    assert read_info(tmp_path / "run" / "samples" / "step-00000003.png")["checkpoint"] == ""


def test_a_half_made_run_cannot_be_loaded(finished: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is no run, and a run without a checkpoint, are errors that say what to do."""
    with pytest.raises(RunError, match="is not a run"):
        load(tmp_path)
    folder = tmp_path / "half"
    shutil.copytree(finished[0], folder)
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(RunError, match="has no checkpoint yet; train it first: genframe resume"):
        reloaded(folder, monkeypatch)


def test_metrics_are_cut_on_resume(tmp_path: Path) -> None:
    """Rows that were logged after the checkpoint from which training goes on are there once in the end."""
    whole = train(plain(), folder=tmp_path / "whole")
    folder = tmp_path / "run"

    class Stop(Silent):
        def advance(self, step: int) -> None:
            if step == 5:
                os.kill(os.getpid(), 15)

    with pytest.raises(KeyboardInterrupt):
        train(plain(), folder=folder, reporter=Stop())
    extra = {"step": 7.0, "loss": 1.0}
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(extra) + '\n{"step": 8.0, "lo')
    resumed = resume(folder)
    assert figures(resumed) == figures(whole)
    assert [row["step"] for row in resumed.metrics] == list(range(1, 10))


def plain() -> dict[str, Any]:
    """Return an experiment of installed components, as plain data."""
    spec = {"encoder": {**MLP, "dim": 2}, "decoder": MLP, "loss": "vae/reconstruction"}
    settings = {"steps": 9, "batch_size": 8, "threads": 1, "log_every": 1, "device": "cpu"}
    return {"name": "plain", "data": {"type": "data/toy", "n": 80}, "model": spec, "train": settings}


def test_an_evaluation_is_json_whatever_it_found(tmp_path: Path) -> None:
    """NaN and infinity, in a stamp too, are text in results.json, which any JSON reader takes."""
    run = train(experiment(), folder=tmp_path / "run")
    evaluation = evaluate(run)
    text = (tmp_path / "run" / "results.json").read_text()
    stored = json.loads(text, parse_constant=pytest.fail)
    assert stored == evaluation.to_dict()
    assert [row["value"] for row in stored["results"]] == ["nan", 0.5]
    assert stored["results"][0]["standard_error"] == "nan"
    assert stored["results"][1]["stamp"] == {"split": "test", "scales": [1.0, "inf"], "inner": {"width": "nan"}}


def test_an_evaluation_shows_what_was_refused() -> None:
    """A metric without meaning for the model is named with its reason, after the figures."""
    results = (MetricResult("nll", 1.25, "nats", {}, 0.5),)
    assert repr(Evaluation(results, {"metrics/x": "why"})) == "nll: 1.25 ± 0.5 nats\nmetrics/x: not measured: why"


@pytest.mark.parametrize("condition", ["none", "class", "classes", "real"])
def test_conditions_for_a_picture(condition: str, tmp_path: Path) -> None:
    """Classes in turn; zeros in a real space; none for an unconditional model: training draws its picture of each."""
    run = train(experiment(condition), folder=tmp_path / "run")
    found = default_condition(run.model, 5)
    expected: dict[str, Any] = {
        "none": None,
        "class": [0, 1, 2, 0, 1],
        "classes": [[0, 0], [1, 1], [2, 2], [0, 0], [1, 1]],
        "real": [[0.0, 0.0]] * 5,
    }
    assert (found if found is None else found.tolist()) == expected[condition]
    assert read_info(tmp_path / "run" / "samples" / "step-00000006.png")["n"] == 64


def test_a_run_shows_itself() -> None:
    """Its name, step, last loss and kind of density; in a notebook also its model's parts, and text stays text."""
    run = train(experiment())
    assert repr(run) == f"Run('tiny', step 6, loss {run.metrics[-1]['loss']:.4g}, lower bound density)"
    assert run._repr_html_() == f"<p>{escape(repr(run))}</p>{run.model._repr_html_()}"
    assert "<b>" not in replace(run, folder=Path("<b>"))._repr_html_()


STAGES = "train.stages=[{parts: [encoder, decoder], steps: 3}, {parts: [prior], fit: true}]"
LONGER = "train.stages=[{parts: [encoder, decoder], steps: 3}, {parts: [prior], fit: true}, {parts: [prior], steps: 2}]"


def test_a_run_is_complete_when_its_last_stage_is(tmp_path: Path) -> None:
    """A run is complete once every step and fit is made, and not under a spec that asks for more."""
    words = [STAGES, "train.checkpoint_every=2", "train.batch_size=32"]
    spec = read_experiment("ae-gmm-digits", [*words, "model.prior.components=2"]).spec
    train(spec, folder=tmp_path / "run")
    assert is_complete(tmp_path / "run")
    assert not is_complete(tmp_path / "run", [LONGER])
    assert resume(tmp_path / "run", [LONGER]).step == 5
    assert is_complete(tmp_path / "run", [LONGER])


def test_every_stage_ends_with_a_checkpoint(tmp_path: Path) -> None:
    """What a stage has learnt is saved at its end, whether or not a checkpoint is due, so that the next may be interrupted."""
    words = [STAGES, "train.checkpoint_every=null", "train.batch_size=32", "model.prior.components=2"]
    kept: list[int] = []
    real = checkpoint.commit

    def commit(folder: Path, step: int, *rest: Any, **named: Any) -> Any:
        kept.append(step)
        return real(folder, step, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "commit", commit)
        train(read_experiment("ae-gmm-digits", words).spec, folder=tmp_path / "run")
    assert kept == [3, 3]


def test_a_longer_run_is_longer_for_good(tmp_path: Path) -> None:
    """More steps given to a resumed run are written down, so that continuing from an interruption needs no repeating."""
    words = ["train.steps=2", "train.checkpoint_every=null", "train.batch_size=32"]
    train(read_experiment("vae-digits", words).spec, folder=tmp_path / "run")

    class Stop(Silent):
        def advance(self, step: int) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        resume(tmp_path / "run", ["train.steps=5"], reporter=Stop())
    assert not is_complete(tmp_path / "run")
    assert resume(tmp_path / "run").step == 5


@pytest.mark.parametrize("environment", [None, 3, {}, {"threads": "two"}, {"threads": 0}, {"threads": True}])
def test_a_checkpoint_without_its_environment_is_an_error(environment: Any, tmp_path: Path) -> None:
    """A state that does not say with how many threads it was made is refused as a checkpoint, not by a traceback."""
    words = ["train.steps=2", "train.checkpoint_every=null", "train.batch_size=32"]
    run = train(read_experiment("vae-digits", words).spec, folder=tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    saved = checkpoint.read(folder / f"step-{run.step:08d}")
    checkpoint.commit(folder, run.step, saved.tensors, {**saved.state, "environment": environment})
    with pytest.raises(CheckpointError, match="does not say with how many threads it was made"):
        resume(tmp_path / "run", ["train.steps=5"])


PROGRAM = """
import resource, sys
from pathlib import Path
import genframe

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

def trained(folder, hidden):
    network = {"type": "nets/mlp", "hidden": hidden}
    model = {"encoder": {**network, "dim": 2}, "decoder": network, "loss": "vae/reconstruction"}
    settings = {"steps": 1, "batch_size": 4, "ema": 0.9, "optimizer": "sgd"}
    genframe.train({"name": "p", "data": "data/digits", "model": model, "train": settings}, folder=folder)

folder, name = Path(sys.argv[1]), sys.argv[2]
if name == "make":
    trained(folder / "small", [8])
    trained(folder / "large", [1024] * 30)  # 240 MiB, and as much for the average
else:
    genframe.load(folder / "small")  # what is loaded when it is first used
    before = peak()
    run = genframe.load(folder / "large")
    print((peak() - before) / sum(weight.nbytes for weight in run.model.state_dict().values()))
"""


def test_loading_needs_no_second_copy_of_the_weights(tmp_path: Path) -> None:
    """Its peak of memory is little more than the model's size, whether or not there are averaged weights beside."""
    for step in ("make", "load"):
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), step], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.2
