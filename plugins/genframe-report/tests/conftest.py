"""A short run of a conditional VAE, to report on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from genframe.cli import main

SMALL = [
    "data.limit=80",
    "model.encoder.network.hidden=[8]",
    "model.decoder.network.hidden=[8]",
    "train.steps=6",
    "train.batch_size=16",
    "train.threads=1",
    "train.log_every=2",
    "train.validate_every=2",
    "train.sample_every=2",
    "evaluate.metrics=[metrics/elbo, {type: metrics/nll, samples: 2}]",
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a conditional VAE, six steps long."""
    path = tmp_path_factory.mktemp("finished") / "run"
    assert main(["train", "cvae-digits", *SMALL, "--run", str(path), "--json"]) == 0
    return path


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that run to do things to, as ``run`` in the present folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "run")
    return Path("run")
