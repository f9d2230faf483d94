"""Models of two parts in one experiment: VQGAN and its interruption, priors over codes, by class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Categorical, evaluate, resume, train
from genframe.experiment.document.loading import read_experiment
from genframe.experiment.document.spec import check_experiment
from genframe.testing import checkpoint_tensors, train_interrupted

SMALL = {"type": "nets/conv", "channels": [8, 8]}
SIZES = {"transformer": {"dim": 8, "depth": 1, "heads": 2}, "pixelcnn": {"channels": 8, "layers": 1}}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of digits, trained for a moment."""
    folder = tmp_path_factory.mktemp("runs") / "digits-classifier"
    train(read_experiment("digits-classifier", ["train.steps=5", "train.threads=1"]).spec, folder=folder)
    return folder


def vqgan(classifier: Path) -> dict[str, Any]:
    """Return the recipe with small networks and few steps."""
    words = [
        f"model.loss.terms.1.features={classifier}",
        *(f"model.{part}.network={{type: nets/conv, channels: [8, 8]}}" for part in ("encoder", "decoder")),
        "model.loss.terms.2.critic.channels=[8]",
        "model.encoder.revive=2",
        "model.prior.dim=8",
        "train.stages.0.steps=8",
        "train.stages.1.steps=12",
        *("train.batch_size=16", "train.log_every=1", "train.threads=1", "train.ema=0.9", "evaluate.metrics=[]"),
    ]
    return read_experiment("vqgan-digits", words).spec.model_dump(mode="json")


def test_every_player_of_vqgan_moves(classifier: Path, tmp_path: Path) -> None:
    """Encoder, codebook, decoder and critic move in the first stage, the prior in the second, the classifier never."""
    train_interrupted(vqgan(classifier), tmp_path / "run", (1,))
    first = checkpoint_tensors(tmp_path / "run")
    resume(tmp_path / "run")
    last = checkpoint_tensors(tmp_path / "run")
    moved = {name for name in first.keys() & last.keys() if not torch.equal(first[name], last[name])}
    for part in ("encoder.network", "encoder.quantiser", "decoder", "prior", "loss.terms.2.critic"):
        assert any(name.startswith(f"model/{part}") for name in moved), part
    assert not any(name.startswith("model/loss.terms.1.") for name in moved)
    assert any(name.startswith("model/loss.terms.1.") for name in last)


@pytest.mark.parametrize("stops", [(5,), (3, 11)])
def test_an_interrupted_vqgan_goes_on_bit_for_bit(stops: tuple[int, ...], classifier: Path, tmp_path: Path) -> None:
    """In the first stage, and in the second, which alone has 11 steps: all tensors, figures and samples are equal."""
    whole = train(vqgan(classifier), folder=tmp_path / "whole")
    train_interrupted(vqgan(classifier), tmp_path / "parts", stops)
    parts = resume(tmp_path / "parts")
    expected, found = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "parts")
    assert found.keys() == expected.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert torch.equal(whole.sample(4).x, parts.sample(4).x)
    figures = [[{**row, "seconds": 0} for row in run.metrics] for run in (whole, parts)]
    assert figures[0] == figures[1]


def two_parts(prior: str) -> dict[str, Any]:
    """Return an experiment of class-conditional codes of digits and a prior over them."""
    decoder = {"type": "vae/discretised_logistic", "network": SMALL}
    model = {
        "condition": "core/one_hot",
        "encoder": {"type": "vq/quantizer", "network": SMALL, "size": 16, "dim": 4},
        "decoder": decoder,
        "prior": {"type": f"autoregressive/{prior}", **SIZES[prior]},
        "loss": {"type": "vq/vqvae", "beta": 10.0},
    }
    stages = [{"parts": ["encoder", "decoder"], "steps": 100}, {"parts": ["prior"], "steps": 60}]
    settings = {"stages": stages, "batch_size": 32, "lr": 1e-2, "log_every": 20, "threads": 1}
    metrics = {"metrics": ["metrics/reconstruction", "vq/codebook", "vq/code_length"]}
    data = {"type": "data/digits", "labels": True}
    return {"name": "two", "data": data, "model": model, "train": settings, "evaluate": metrics}


@pytest.mark.parametrize("prior", ["transformer", "pixelcnn"])
def test_a_prior_learns_codes_by_class(prior: str) -> None:
    """One spec, two stages: the prior's bits fall below an even code's, samples follow their class and every metric answers."""
    experiment = read_experiment("vqvae-digits").spec.model_validate(two_parts(prior))
    composition = check_experiment(experiment)
    assert composition.code == Categorical((2, 2), 16)
    assert composition.sampling == "sequential"
    run = train(experiment)
    figures = {result.name: result for result in evaluate(run).results}
    assert figures["prior_code_length"].value < 0.9 * 4 * 4 / 64  # log2 of 16 codes at each of 4 places
    assert "two-part" in figures["code_length"].note
    zeros, ones = (mean(run.sample(64, torch.full((64,), digit)).x) for digit in (0, 1))
    assert float(zeros[0, 4, 4]) < float(ones[0, 4, 4]) - 0.2  # the hole of a nought


def mean(x: Tensor) -> Tensor:
    """Return the mean picture."""
    return x.mean(0)
