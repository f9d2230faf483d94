"""Training: runs that are interrupted go on bit for bit, chains and buffers with them; a machine over binary codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from genframe import Encoder, EncoderSpec, ExperimentSpec, ModelSpec, Real, Space, Spaces, compose, evaluate, resume, train
from genframe.core import ModelPrior
from genframe.testing import checkpoint_tensors, train_interrupted
from genframe.training.reporter import Silent
from genframe.training.trainer import Trainer
from genframe_nets import MLPDecoder
from genframe_vae import Reconstruction

IDENTITY = {"encoder": "core/identity", "decoder": "core/identity"}
PCD = {"type": "energy/contrastive_divergence", "persistent": True, "chains": 20, "weight_decay": 1e-3}
MACHINE = {
    "data": {"type": "data/digits", "binarise": "dynamic", "limit": 200},
    "model": {
        **IDENTITY,
        "prior": {"type": "energy/rbm", "hidden": 6},
        "loss": PCD,
        "sampler": {"type": "energy/gibbs", "steps": 10, "thinning": 5},
    },
}
NETWORK = {
    "data": {"type": "data/toy", "n": 200},
    "model": {
        **IDENTITY,
        "prior": {"type": "energy/neural", "network": {"type": "nets/mlp", "hidden": [8]}},
        "loss": {"type": "energy/langevin_likelihood", "steps": 3, "buffer": 40, "restart": 0.2},
        "sampler": {"type": "energy/langevin", "steps": 10},
    },
}


def experiment(parts: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return a tiny experiment with all that has a state."""
    train_spec = {"steps": 20, "batch_size": 16, "optimizer": "sgd", "lr": 0.05, "ema": 0.9, "log_every": 1}
    return {"name": "energy", **parts, "train": {**train_spec, "validate_every": 8, "threads": 1, **settings}}


@pytest.mark.parametrize(("parts", "kept"), [(MACHINE, "chains"), (NETWORK, "replay")])
def test_interrupted_run_goes_on_bit_for_bit(parts: dict[str, Any], kept: str, tmp_path: Path) -> None:
    """Weights, averages, momentum and the chains that persist are equal to the last bit, and so are the samples."""
    whole = train(experiment(parts), folder=tmp_path / "whole")
    train_interrupted(experiment(parts), tmp_path / "parts", (4, 11))
    stopped = checkpoint_tensors(tmp_path / "parts")[f"model/loss.{kept}"]
    again = resume(tmp_path / "parts")
    expected, found = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "parts")
    assert found.keys() == expected.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert not torch.equal(stopped, found[f"model/loss.{kept}"])
    assert torch.equal(whole.sample(4).x, again.sample(4).x)
    figures = [[{**row, "seconds": 0} for row in run.metrics] for run in (whole, again)]
    assert figures[0] == figures[1]


def test_machine_learns_and_is_measured(tmp_path: Path) -> None:
    """Training raises the exact log-likelihood of held-out digits above that of independent pixels, where it begins."""
    metrics = ["energy/log_likelihood", {"type": "energy/mixing", "burn_in": 50, "draws": 50}]
    data = {"type": "data/digits", "binarise": "static"}
    figures = {}
    for steps in (1, 300):
        spec = experiment(MACHINE, steps=steps, optimizer="adam", lr=0.02, ema=0.99, validate_every=None, log_every=100)
        evaluation = evaluate(train({**spec, "data": data, "evaluate": {"metrics": metrics}}, folder=tmp_path / f"run{steps}"))
        assert evaluation.refused == {}
        figures[steps] = {result.name: result for result in evaluation.results}
    before, after = (figures[steps]["log_likelihood"] for steps in (1, 300))
    assert after.value > before.value + 0.5
    assert after.stamp["estimator"] == "enumeration"
    assert {"energy_r_hat", "energy_ess", "worst_r_hat", "worst_ess"} <= figures[300].keys()


class Threshold(torch.autograd.Function):
    """1 above zero, else 0, with the gradient of the identity."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        """Return bits."""
        return (x > 0).float()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        """Pass the gradient on."""
        return gradients[0]


class BitsEncoder(Encoder):
    """A linear layer's signs."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dims, 4)

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return four bits."""
        bits: Tensor = Threshold.apply(self.linear(x.flatten(1)))
        return bits


class Bits(EncoderSpec):
    """An encoder whose codes are four bits."""

    type: Literal["test/bits"] = "test/bits"

    def latent_space(self, data: Space) -> Space:
        """Return bits."""
        return Real((4,), 0, 1, levels=2)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make it."""
        return BitsEncoder(spaces.data.dims)


class Watch:
    """Keeps the model's state at each checkpoint."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def log(self, row: Any) -> None:
        """Keep nothing."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Keep the state."""
        self.states.append({name: tensor.clone() for name, tensor in trainer.model.state_dict().items()})

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


def test_machine_over_the_codes_of_a_trained_autoencoder() -> None:
    """Nested by core/model, a machine learns binary codes in a second stage: its chains move, the autoencoder is frozen."""
    nested = ModelSpec.model_validate(MACHINE["model"])
    prior = ModelPrior(model=nested)
    model = ModelSpec(encoder=Bits(), decoder=MLPDecoder(hidden=(8,)), prior=prior, loss=Reconstruction())
    stages = ({"parts": ["encoder", "decoder"], "steps": 5}, {"parts": ["prior"], "steps": 40})
    spec = ExperimentSpec.model_validate(
        {**experiment(MACHINE, stages=stages, optimizer="adam", lr=0.03, ema=None, log_every=5), "model": model}
    )
    composed = compose(spec.model, spec.data.data_space())
    watch = Watch()
    Trainer(composed, spec.data.load(), settings=spec.train, observer=watch, reporter=Silent()).run()
    before, after = watch.states[0], composed.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert {"prior.model.loss.chains", "prior.model.prior.weight", "prior.model.prior.visible_bias"} <= changed
    assert all(name.startswith("prior.") for name in changed)
    assert composed.sample(3).x.shape == (3, 1, 8, 8)
