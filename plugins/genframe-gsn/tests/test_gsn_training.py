"""Training: an interrupted run goes on bit for bit, and a trained network's chain is nearer the data than it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from genframe import evaluate, resume, train
from genframe.testing import train_interrupted

MODEL = {
    "encoder": {"type": "gsn/stochastic", "dim": 32, "network": {"type": "nets/mlp", "hidden": [32]}, "amount": 0.2},
    "decoder": {"type": "vae/bernoulli", "network": {"type": "nets/mlp", "hidden": [32]}},
    "loss": {"type": "gsn/walkback", "steps": 2},
    "sampler": {"type": "gsn/chain", "steps": 20},
}


def experiment(steps: int = 12, **settings: Any) -> dict[str, Any]:
    """Return a small experiment on binarised digits."""
    train_spec = {"steps": steps, "batch_size": 50, "log_every": 1, "threads": 1, **settings}
    return {"name": "gsn", "data": {"type": "data/digits", "binarise": "dynamic"}, "model": MODEL, "train": train_spec}


def test_interrupted_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Weights, figures and samples of a run in two pieces are those of a run in one."""
    whole = train(experiment(), folder=tmp_path / "whole")
    train_interrupted(experiment(), tmp_path / "parts", (5,))
    again = resume(tmp_path / "parts")
    expected, found = whole.model.state_dict(), again.model.state_dict()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert [{**row, "seconds": 0} for row in whole.metrics] == [{**row, "seconds": 0} for row in again.metrics]
    assert torch.equal(whole.sample(4).x, again.sample(4).x)


def test_training_brings_the_chain_to_the_data(tmp_path: Path) -> None:
    """After training, discrepancy and Parzen windows of the chain's samples are better than before."""
    metrics = [{"type": "metrics/mmd", "n": 200}, {"type": "metrics/parzen", "n": 300}]
    found = {}
    for steps in (1, 400):
        spec = {**experiment(steps, lr=3e-3, log_every=100), "evaluate": {"metrics": metrics}}
        evaluation = evaluate(train(spec, folder=tmp_path / f"run{steps}"))
        assert evaluation.refused == {}
        found[steps] = {result.name: result for result in evaluation.results}
    assert found[400]["mmd2"].value < 0.5 * found[1]["mmd2"].value
    assert found[400]["parzen"].value > found[1]["parzen"].value + 1
    assert found[400]["parzen"].note.startswith("biased")
