"""A stack of machines: its layers, greedy pretraining, the autoencoder and the deep belief network that come of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from genframe import ModelSpec, Real, Run, SpecError, compose, evaluate, resume, train
from genframe.testing import checkpoint_tensors, train_interrupted
from genframe.testing.drawing import every_value
from genframe_energy import Stack, Unstacked
from genframe_energy.rbm import LinearBoltzmannMachine
from genframe_energy.stack import StackEncoder
from genframe_vae import Reconstruction

IMAGES, BITS = Real((1, 8, 8), 0, 1), Real((5,), 0, 1, levels=2)
PRETRAINING, FINE_TUNING = {"parts": ["encoder"], "steps": 400}, {"parts": ["encoder", "decoder"], "steps": 200}
AUTOENCODER = {
    "encoder": {"type": "energy/stack", "hidden": [64, 32], "dim": 6},
    "decoder": "energy/unstacked",
    "loss": "vae/reconstruction",
}
MACHINE = {
    "encoder": "core/identity",
    "decoder": "core/identity",
    "prior": {"type": "energy/rbm", "hidden": 16, "sweeps": 50},
    "loss": "energy/contrastive_divergence",
    "sampler": {"type": "energy/gibbs", "steps": 50},
}
NETWORK = {
    "encoder": {"type": "energy/stack", "hidden": [32, 16]},
    "decoder": {"type": "energy/unstacked", "tied": True},
    "prior": {"type": "core/model", "model": MACHINE},
    "loss": "vae/reconstruction",
}


def trained(model: dict[str, Any], stages: list[dict[str, Any]], folder: Path | None = None, **settings: Any) -> Run:
    """Return a run of digits."""
    return train(experiment(model, stages, **settings), folder=folder)


def experiment(model: dict[str, Any], stages: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    """Return an experiment on digits."""
    train_spec = {"stages": stages, "batch_size": 64, "lr": 1e-2, "schedule": "cosine", "threads": 1, **settings}
    metrics = {"metrics": ["metrics/reconstruction"], "split": "validation"}
    return {"name": "stack", "data": "data/digits", "model": model, "train": train_spec, "evaluate": metrics}


def test_linear_machine_integrates_its_hidden_units_out() -> None:
    """Differences of its energy are those of -log of the integral over h of exp(b v + (c + Wᵀ v) h - h² / 2)."""
    machine, values = LinearBoltzmannMachine(BITS, 1), every_value(BITS)
    assert values is not None
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    h = torch.linspace(-12, 12, 20_001)
    logits = machine.hidden_bias + values @ machine.weight  # (32, 1)
    log_sum = (logits * h - h.square() / 2).logsumexp(1) + math.log(24 / 20_000)
    expected = -(values @ machine.visible_bias) - log_sum
    found = machine.energy(values)
    torch.testing.assert_close(found - found[0], expected - expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(machine.hidden_mean(values), logits)


def test_stack_is_sigmoids_and_a_linear_layer() -> None:
    """Its code is what a perceptron with its machines' weights and hidden biases gives, of data scaled to 0 and 1."""
    model = compose(
        ModelSpec(encoder=Stack(hidden=(7, 5), dim=3), decoder=Unstacked(), loss=Reconstruction()), Real((6,), -1, 1)
    )
    encoder = model.encoder
    assert isinstance(encoder, StackEncoder)
    x = torch.rand(4, 6) * 2 - 1
    first, second, third = encoder.rbms
    h = torch.sigmoid((x + 1) / 2 @ first.weight + first.hidden_bias)
    h = torch.sigmoid(h @ second.weight + second.hidden_bias)
    torch.testing.assert_close(model.encode(x), h @ third.weight + third.hidden_bias)


def test_decoder_begins_as_the_stack_turned_over_and_then_learns_by_itself() -> None:
    """When fine-tuning begins its weights are those of the pretrained stack; afterwards they are not."""
    pretrained = trained(AUTOENCODER, [{**PRETRAINING, "steps": 20}])
    random = pretrained.model.decoder.state_dict()
    started = trained(AUTOENCODER, [{**PRETRAINING, "steps": 20}, {**FINE_TUNING, "steps": 1}], warmup=1, lr=1e-12)
    encoder = started.model.encoder
    assert isinstance(encoder, StackEncoder)
    for number, (weight, bias) in enumerate(encoder.downward()):
        own = started.model.decoder.state_dict()
        torch.testing.assert_close(own[f"layers.{number}.weight"], weight.detach(), rtol=0, atol=1e-6)
        torch.testing.assert_close(own[f"layers.{number}.bias"], bias.detach(), rtol=0, atol=1e-6)
        assert not torch.equal(own[f"layers.{number}.weight"], random[f"layers.{number}.weight"])
    tuned = trained(AUTOENCODER, [{**PRETRAINING, "steps": 20}, {**FINE_TUNING, "steps": 20}]).model
    assert isinstance(tuned.encoder, StackEncoder)
    assert not torch.allclose(tuned.decoder.state_dict()["layers.0.weight"], tuned.encoder.downward()[0][0], atol=1e-3)


def test_pretraining_lowers_the_error_after_as_many_steps_of_fine_tuning() -> None:
    """Hinton & Salakhutdinov 2006, fig. S1: a deep autoencoder of sigmoids that begins at random learns slowly."""
    errors = [evaluate(trained(AUTOENCODER, stages)).results[0].value for stages in ([PRETRAINING, FINE_TUNING], [FINE_TUNING])]
    assert errors[0] < 0.6 * errors[1]


def test_interrupted_in_either_stage_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Pretraining and fine-tuning are resumed to the same weights."""
    spec = experiment(AUTOENCODER, [{**PRETRAINING, "steps": 6}, {**FINE_TUNING, "steps": 6}], ema=0.9)
    train(spec, folder=tmp_path / "whole")
    train_interrupted(spec, tmp_path / "parts", (3, 2))
    resume(tmp_path / "parts")
    expected, found = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "parts")
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []


def test_deep_belief_network() -> None:
    """A stack of bits with a machine as prior of its codes: the codes are bits, the machine learns them, samples come down."""
    run = trained(NETWORK, [{**PRETRAINING, "steps": 100}, {"parts": ["prior"], "steps": 100}])
    model = run.model
    assert model.composition.sampling == "Markov chain"
    assert model.composition.code == Real((16,), 0, 1, levels=2)
    codes = model.codes(torch.rand(50, 1, 8, 8))
    assert set(codes.unique().tolist()) <= {0.0, 1.0}
    assert model.sample(3).x.shape == (3, 1, 8, 8)
    gaps = [row for row in run.metrics if row["stage"] == 1]
    assert "free_energy" in gaps[-1]
    assert not list(model.decoder.parameters())


def test_unbounded_data_are_no_probabilities() -> None:
    """Refused where they enter, with what they are."""
    with pytest.raises(SpecError, match="energy/stack reads values as probabilities of bits"):
        compose(ModelSpec(encoder=Stack(), decoder=Unstacked(), loss=Reconstruction()), Real((6,)))
