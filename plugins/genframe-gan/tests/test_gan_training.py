"""Training: the critic's extra steps, and a run that is interrupted and goes on bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from genframe import resume, train
from genframe.testing import checkpoint_tensors, train_interrupted

CRITIC = {"type": "gan/spectral", "network": {"type": "nets/mlp", "hidden": [8]}}


def experiment(**settings: Any) -> dict[str, Any]:
    """Return a tiny experiment with all that has a state: optimizers, averages, lazy and falling penalties, spectral norm."""
    loss = {"type": "gan/adversarial", "critic": CRITIC, "n_critic": 2, "r1": 1.0, "penalty_every": 3, "noise": 0.1}
    model = {
        "decoder": {"type": "nets/mlp", "hidden": [8]},
        "prior": {"type": "core/normal", "shape": [2]},
        "loss": {**loss, "anneal_steps": 30, "penalty_end": 0.1, "packing": 2},
    }
    settings = {"steps": 20, "batch_size": 16, "ema": 0.9, "log_every": 1, "validate_every": 8, "threads": 1, **settings}
    return {"name": "gan", "data": {"type": "data/toy", "name": "ring8", "n": 200}, "model": model, "train": settings}


@pytest.mark.parametrize("stops", [(7,), (4, 11)])
def test_interrupted_run_goes_on_bit_for_bit(stops: tuple[int, ...], tmp_path: Path) -> None:
    """R5: weights, averages, both optimizers, the count of lazy steps and the power iteration are equal to the last bit."""
    whole = train(experiment(), folder=tmp_path / "whole")
    train_interrupted(experiment(), tmp_path / "parts", stops)
    parts = resume(tmp_path / "parts")
    expected, found = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "parts")
    assert found.keys() == expected.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert {"model/loss.steps.batches", "model/loss.critic.head.parametrizations.weight.0._u"} <= expected.keys()
    assert int(expected["model/loss.steps.batches"]) == 40
    assert torch.equal(whole.sample(4).x, parts.sample(4).x)
    figures = [[{**row, "seconds": 0} for row in run.metrics] for run in (whole, parts)]
    assert figures[0] == figures[1]


def test_critic_steps_as_often_as_it_is_named(tmp_path: Path) -> None:
    """With n_critic 2 its optimizer has made twice the generator's steps."""
    train(experiment(steps=3), folder=tmp_path / "run")
    tensors = checkpoint_tensors(tmp_path / "run")
    steps = {
        player: {
            float(value) for name, value in tensors.items() if name.startswith(f"optimizer/{player}/") and name[-4:] == "step"
        }
        for player in ("critic", "generator")
    }
    assert steps == {"critic": {6.0}, "generator": {3.0}}


def test_critic_is_measured_on_held_out_data(tmp_path: Path) -> None:
    """Validation reports the critic's accuracy, scores and penalty on data that it was not trained on."""
    rows = train(experiment(), folder=tmp_path / "run").metrics
    row = next(row for row in rows if "validation/critic_accuracy" in row)
    assert 0 <= row["validation/critic_accuracy"] <= 1
    assert {"validation/penalty", "validation/critic_real", "validation/loss/generator"} <= row.keys()
