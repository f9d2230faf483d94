"""``genframe evaluate --all`` and ``--features``, as a user gives them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from genframe import installed

Command: TypeAlias = Callable[..., Any]
SMALL = [
    "data.limit=80",
    "model.encoder.network.hidden=[8]",
    "model.decoder.network.hidden=[8]",
    "train.steps=4",
    "train.batch_size=16",
    "train.threads=1",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_metric_is_measured_or_refused_with_why(genframe: Command) -> None:
    """With --all each installed metric has figures or a reason; those that the experiment names keep their settings."""
    named = "evaluate.metrics=[{type: metrics/nll, samples: 3}]"
    genframe("train", "vae-digits", *SMALL, named, "--run", "a", "--json")
    found = genframe("evaluate", "a", "--all", "--json")
    of_type = {one["stamp"]["metric"] for one in found["results"]}
    assert of_type | set(found["refused"]) == set(installed().registry("metric").names())
    assert not of_type & set(found["refused"])
    assert {"metrics/nll", "metrics/frechet", "metrics/precision_recall", "metrics/sliced_wasserstein"} <= of_type
    assert {"metrics/two_sample", "metrics/parzen", "metrics/elbo", "metrics/sampling_cost", "metrics/sampling_time"} <= of_type
    assert found["refused"]["metrics/stacked_modes"] == "it needs classifier; name it with its settings"
    assert found["results"][0]["stamp"]["samples"] == 3
    assert found["step"] == 4
    assert found["checkpoint"]
    unnamed = genframe("evaluate", "a", "--metric", "metrics/mmd", "--json")
    assert {one["stamp"]["metric"] for one in unnamed["results"]} == {"metrics/mmd"}


def test_features_of_a_run_are_compared(genframe: Command) -> None:
    """--features names the run for each metric that compares features; figures carry its name."""
    genframe("train", "digits-classifier", "train.steps=2", "train.threads=1", "--run", "c", "--json")
    genframe("train", "vae-digits", *SMALL, "evaluate.metrics=[]", "--run", "a", "--json")
    words = ["--metric", "metrics/frechet", "--metric", "metrics/mmd", "--features", "c", "--json"]
    found = genframe("evaluate", "a", *words)
    names = [one["name"] for one in found["results"]]
    assert names == ["fd(digits-classifier)", "fd_of_data(digits-classifier)", "mmd2", "mmd2_of_data"]
    refused = genframe("evaluate", "a", *words[:2], "--features", "nowhere", "--json")["refused"]
    assert refused["metrics/frechet"].startswith("nowhere is not a run; train a classifier")
