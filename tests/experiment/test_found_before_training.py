"""What cannot be measured, or not be stepped, is found before the first step; one metric that fails leaves the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genframe import DataError, Dataset, MetricResult, Model, Real, SpecError, Split, evaluate, load, train
from genframe.training.reporter import Silent
from genframe_metrics.discrepancy import MmdMetric


def experiment(folder: Path, rows: int = 60, test: int = 20, **changes: Any) -> dict[str, Any]:
    """Return a small autoencoder on random rows, of which so many are held out for testing."""
    np.savez(folder / "rows.npz", x=np.random.default_rng(0).normal(size=(rows, 3)).astype("float32"))
    found: dict[str, Any] = {
        "name": "before",
        "data": {"type": "data/npz", "path": str(folder / "rows.npz"), "layout": "vector", "test": test, "validation": 10},
        "model": {
            "encoder": {"type": "vae/gaussian", "dim": 2, "network": {"type": "nets/mlp", "hidden": [8]}},
            "decoder": {"type": "vae/normal", "network": {"type": "nets/mlp", "hidden": [8]}},
            "loss": "vae/elbo",
        },
        "train": {"steps": 2, "batch_size": 10},
    }
    return found | changes


def test_metrics_without_enough_examples_are_refused_before_training(tmp_path: Path) -> None:
    """All at once, by their places, with the number that each needs; no checkpoint is made."""
    metrics = ["metrics/mmd", "metrics/elbo", "metrics/frechet"]
    spec = experiment(tmp_path, test=3, evaluate={"metrics": metrics})
    with pytest.raises(DataError) as caught:
        train(spec, folder=tmp_path / "run")
    assert str(caught.value).splitlines() == [
        "evaluate.metrics.0: metrics/mmd needs 8 examples of the split 'test', which has 3; "
        "give it more examples, or leave the metric out",
        "evaluate.metrics.2: metrics/frechet needs 20 examples of the split 'test', which has 3; "
        "give it more examples, or leave the metric out",
    ]
    assert not list((tmp_path / "run").rglob("step-*"))


def test_a_split_that_is_missing_is_found_before_training() -> None:
    """A dataset without the split on which the experiment is measured."""
    import torch

    data = Dataset(Real((3,)), {"train": Split("train", torch.randn(40, 3))})
    spec = {
        "name": "before",
        "data": "data/digits",
        "model": {"encoder": {"type": "nets/mlp", "dim": 2}, "decoder": "nets/mlp", "loss": "vae/reconstruction"},
        "evaluate": {"metrics": ["metrics/reconstruction"]},
        "train": {"steps": 1, "batch_size": 10},
    }
    with pytest.raises((DataError, SpecError), match="split 'test'"):
        train(spec, data=data)


def test_batches_larger_than_the_data_are_refused(tmp_path: Path) -> None:
    """By name, with the number of examples."""
    with pytest.raises(SpecError, match=r"train\.batch_size: is 128, and there are 30 training examples; make it at most 30"):
        train(experiment(tmp_path, train={"steps": 2, "batch_size": 128}))


def test_batch_normalisation_of_a_single_example_is_refused(tmp_path: Path) -> None:
    """Torch would refuse the first step."""
    spec = experiment(tmp_path, train={"steps": 2, "batch_size": 1})
    for part in ("encoder", "decoder"):
        spec["model"][part]["network"]["norm"] = "batch"
    with pytest.raises(SpecError, match=r"train\.batch_size: is 1, and batch normalisation needs several examples"):
        train(spec)


def test_one_metric_that_fails_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genframe: Callable[..., Any]
) -> None:
    """The others are printed and kept; the command fails with the reason."""

    def measure(self: MmdMetric, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        raise DataError("the examples are all equal")

    monkeypatch.setattr(MmdMetric, "measure", measure)
    spec = experiment(tmp_path, evaluate={"metrics": ["metrics/mmd", {"type": "metrics/nll", "samples": 2}]})
    train(spec, folder=tmp_path / "run")
    evaluation = evaluate(load(tmp_path / "run"))
    assert [result.name for result in evaluation.results] == ["nll"]
    assert evaluation.failed == {"metrics/mmd": "the examples are all equal"}
    (tmp_path / "run/results.json").unlink()
    assert "metrics/mmd: not measured: the examples are all equal" in genframe("evaluate", tmp_path / "run", code=4)
    kept = json.loads((tmp_path / "run/results.json").read_text())
    assert [result["name"] for result in kept["results"]] == ["nll"]
    assert kept["failed"] == {"metrics/mmd": "the examples are all equal"}


def test_a_condition_that_nobody_reads_is_said(genframe: Callable[..., Any], tmp_path: Path) -> None:
    """By check, and when training starts: a model without a condition learns as if the labels were not there."""
    said = "the condition that the data gives is not read: the model has none; set model.condition"
    assert said in genframe("check", "vae-digits", "data.labels=true")
    assert said not in genframe("check", "vae-digits")
    heard = []

    class Heard(Silent):
        def message(self, text: str) -> None:
            heard.append(text)

    spec = experiment(tmp_path)
    train({**spec, "data": {"type": "data/digits", "labels": True}}, reporter=Heard())
    assert any(said in line for line in heard)
