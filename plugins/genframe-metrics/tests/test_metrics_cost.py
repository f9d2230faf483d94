"""What a sample costs, against counts by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genframe import Categorical, ModelSpec, Real, Split, compose
from genframe.testing import part
from genframe_metrics import SamplingCost, SamplingTime
from genframe_metrics.cost import Usage

DATA = Real((1, 8, 8), 0, 1, 17)
GENERATOR = {
    "decoder": {"type": "nets/mlp", "hidden": [16]},
    "prior": {"type": "core/normal", "shape": [4]},
    "loss": "gan/adversarial",
}
DIFFUSION = {
    "encoder": "diffusion/vp",
    "decoder": {"type": "diffusion/denoiser", "network": {"type": "nets/mlp", "hidden": [16], "time": True}},
    "loss": "diffusion/denoising",
}
MACHINE = {"prior": {"type": "energy/rbm", "hidden": 5}, "loss": "energy/contrastive_divergence"}
DIRECT = {"encoder": "core/identity", "decoder": "core/identity"}


def cost(model: dict[str, Any], space: Any = DATA, batch: int = 8) -> dict[str, float]:
    """Return the figures of a model."""
    composed = compose(ModelSpec.model_validate(model), space)
    low = torch.zeros(30, *space.shape, dtype=torch.long if isinstance(space, Categorical) else torch.float32)
    split = Split("test", low)
    return {one.name: one.value for one in part(SamplingCost(batch=batch)).measure(composed, split, train=split)}


@pytest.mark.parametrize("batch", [1, 8, 100])
def test_a_perceptron_is_counted_by_hand(batch: int) -> None:
    """4 to 16 to 64 units are 2 (4 · 16 + 16 · 64) operations and one pass, whatever the batch."""
    assert cost(GENERATOR, batch=batch) == {"network_calls": 1, "flops": 2 * (4 * 16 + 16 * 64)}


@pytest.mark.parametrize(("sampler", "calls"), [("diffusion/ddim", 7), ("diffusion/heun", 13)])
def test_a_sampler_s_steps_are_counted(sampler: str, calls: int) -> None:
    """Seven steps of DDIM ask the network seven times; Heun's twice each, but the last."""
    assert cost({**DIFFUSION, "sampler": {"type": sampler, "steps": 7}})["network_calls"] == calls


def test_a_sequence_asks_once_a_place() -> None:
    """A transformer over 9 places is asked nine times."""
    prior = {"type": "autoregressive/transformer", "dim": 8, "depth": 1, "heads": 1}
    assert cost({**DIRECT, "prior": prior, "loss": "core/nll"}, Categorical((9,), 3))["network_calls"] == 9


def test_weights_that_are_no_module_s_are_counted_too() -> None:
    """A Boltzmann machine's weights are used twice in a step of its chain."""
    model = {**DIRECT, **MACHINE, "sampler": {"type": "energy/gibbs", "steps": 10, "thinning": 10}}
    found = cost(model, Categorical((6,), 2))
    assert found["network_calls"] == 20
    assert found["flops"] == 20 * 2 * 6 * 5


def test_a_model_without_weights_has_no_calls() -> None:
    """Draws of N(0, I) cost no pass and no product."""
    model = compose(ModelSpec.model_validate({**DIRECT, "loss": "core/nll"}), Real((2,)))
    with Usage(model) as usage:
        model.sample(3)
    assert (usage.calls, usage.flops) == (0, 0)


def test_time_is_stamped_with_the_machine(toy: Any) -> None:
    """Seconds are above zero and finite, with device, threads, batch, repetitions and torch's version; others differ."""
    split = toy.split(30)
    (found,) = part(SamplingTime(batch=16, repeats=3)).measure(toy.model(), split, train=split)
    assert 0 < found.value < 1
    assert found.standard_error is not None
    assert found.unit == "s a sample"
    assert {name: found.stamp[name] for name in ("batch", "repeats", "threads", "torch")} == {
        "batch": 16,
        "repeats": 3,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    assert found.stamp["device"]
