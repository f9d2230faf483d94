"""Optimizers, learning rates and clipping, against torch's own optimizers and values by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genframe import CheckpointError
from genframe.training.optimizer import Player, learning_rate_factor
from genframe.training.settings import TrainSpec

COSINE = {1: 0.5 * (1 + math.cos(math.pi / 4)), 2: 0.5, 3: 0.5 * (1 + math.cos(3 * math.pi / 4))}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 1, 1, 1]),
        ({"warmup": 2}, [0.5, 1, 1, 1]),
        ({"warmup": 4}, [0.25, 0.5, 0.75, 1]),
        ({"warmup": 8}, [0.125, 0.25, 0.375, 0.5]),
        ({"schedule": "linear"}, [1, 0.75, 0.5, 0.25]),
        ({"schedule": "linear", "lr_end": 0.2}, [1, 0.8, 0.6, 0.4]),
        ({"schedule": "linear", "warmup": 2}, [0.5, 1, 1, 0.5]),
        ({"schedule": "cosine"}, [1, COSINE[1], COSINE[2], COSINE[3]]),
        ({"schedule": "cosine", "lr_end": 0.5}, [1, 0.5 + COSINE[1] / 2, 0.75, 0.5 + COSINE[3] / 2]),
        ({"schedule": "cosine", "warmup": 4}, [0.25, 0.5, 0.75, 1]),
    ],
)
def test_learning_rate_of_each_of_four_steps(fields: dict[str, Any], expected: list[float]) -> None:
    """The share of the peak at steps 0 to 3 of 4, by hand from the warm-up and Loshchilov & Hutter's eq. 5."""
    spec = TrainSpec(**fields)
    assert [learning_rate_factor(spec, step, 4) for step in range(4)] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_schedule_ends_at_lr_end(schedule: Any) -> None:
    """The step after the last would have the end's learning rate, and none before has less."""
    spec = TrainSpec(schedule=schedule, lr_end=0.1, warmup=3)
    rates = [learning_rate_factor(spec, step, 50) for step in range(3, 51)]
    assert rates[-1] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)


def net() -> tuple[nn.Module, dict[nn.Parameter, str]]:
    """Return a small network and the names of its parameters."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return module, {parameter: name for name, parameter in module.named_parameters()}


def player(module: nn.Module, names: dict[nn.Parameter, str], name: str = "model", **fields: Any) -> Player:
    """Return a player that owns the network."""
    return Player(name, list(module.parameters()), names, TrainSpec.model_validate(fields))


def gradient(module: nn.Module, step: int) -> None:
    """Give the network a gradient that depends on its weights and the step."""
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
    module.zero_grad()
    (module(x).square().sum() * 3).backward()


FACTORS = [0.5, 1.0, 0.8, 0.3, 0.1]
OPTIMIZERS: dict[str, Any] = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.3),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8, weight_decay=0.3),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, 0.7])
def test_steps_equal_a_hand_loop(kind: str, clip: float | None) -> None:
    """Five steps with a schedule, weight decay and clipping are those of torch's own optimizer in a plain loop."""
    module, names = net()
    mine = player(module, names, optimizer=kind, lr=0.02, betas=(0.8, 0.95), weight_decay=0.3, clip=clip)
    peer, _ = net()
    optimizer = OPTIMIZERS[kind](peer.parameters())
    for step, factor in enumerate(FACTORS):
        gradient(module, step)
        norm = mine.gradient_norm()
        if norm is not None:
            mine.clip_gradients(norm)
        mine.step(factor)
        gradient(peer, step)
        if clip is not None:
            nn.utils.clip_grad_norm_(peer.parameters(), clip)
        optimizer.param_groups[0]["lr"] = 0.02 * factor
        optimizer.step()
    for one, other in zip(module.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def total_norm(module: nn.Module) -> float:
    """Return the Euclidean norm of all gradients, in float64."""
    return math.sqrt(sum(float(p.grad.double().square().sum()) for p in module.parameters() if p.grad is not None))


def test_clipping_scales_to_the_norm_and_keeps_the_direction() -> None:
    """A larger gradient gets exactly the largest norm allowed; a smaller one stays as it is."""
    module, names = net()
    gradient(module, 0)
    before = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
    norm = total_norm(module)
    for limit, expected in ((norm / 3, norm / 3), (norm * 2, norm)):
        gradient(module, 0)
        mine = player(module, names, clip=limit)
        measured = mine.gradient_norm()
        assert measured is not None
        assert float(measured) == pytest.approx(norm, rel=1e-5)
        mine.clip_gradients(measured)
        assert total_norm(module) == pytest.approx(expected, rel=1e-5)
        for parameter, old in zip(module.parameters(), before, strict=True):
            torch.testing.assert_close(parameter.grad, old * (expected / norm), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("limit", [1e-3, 0.7, 1e6])
def test_clipping_equals_torchs_own_to_the_bit(limit: float) -> None:
    """Norm and clipped gradients are those of ``torch.nn.utils.clip_grad_norm_``, above and below the largest norm."""
    module, names = net()
    peer, _ = net()
    gradient(module, 0)
    gradient(peer, 0)
    mine = player(module, names, clip=limit)
    norm = mine.gradient_norm()
    assert norm is not None
    mine.clip_gradients(norm)
    assert torch.equal(norm, nn.utils.clip_grad_norm_(peer.parameters(), limit))
    for one, other in zip(module.parameters(), peer.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


def test_without_a_gradient_the_norm_is_zero() -> None:
    """A player none of whose parameters has a gradient has the norm 0, and clipping leaves it so."""
    module, names = net()
    module.zero_grad()
    mine = player(module, names, clip=1.0)
    norm = mine.gradient_norm()
    assert norm is not None
    assert float(norm) == 0
    mine.clip_gradients(norm)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_norm_is_measured_only_when_it_is_needed() -> None:
    """Without clipping nobody pays for the norm, unless it is asked for."""
    module, names = net()
    gradient(module, 0)
    assert player(module, names).gradient_norm() is None
    assert float(player(module, names).gradient_norm(always=True)) == pytest.approx(total_norm(module), rel=1e-5)  # type: ignore[arg-type]


def test_a_players_own_settings_win() -> None:
    """A player's lr, betas and weight decay replace the experiment's, zero too; another player keeps the experiment's."""
    module, names = net()
    fields = {
        "lr": 0.1,
        "betas": (0.9, 0.99),
        "weight_decay": 0.2,
        "players": {"critic": {"lr": 0.3, "betas": (0.0, 0.5), "weight_decay": 0.0}},
    }
    own, other = (player(module, names, name, **fields).optimizer.param_groups[0] for name in ("critic", "generator"))
    assert (own["lr"], own["betas"], own["weight_decay"]) == (0.3, (0.0, 0.5), 0.0)
    assert (other["lr"], other["betas"], other["weight_decay"]) == (0.1, (0.9, 0.99), 0.2)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_state_restores_bit_for_bit(kind: str) -> None:
    """Three steps, then two in another optimizer with the saved state, are five steps."""
    module, names = net()
    mine = player(module, names, optimizer=kind)
    for step in range(3):
        gradient(module, step)
        mine.step(1.0)
    twin, twin_names = net()
    twin.load_state_dict(module.state_dict())
    other = player(twin, twin_names, optimizer=kind)
    other.load({name.removeprefix("model/"): tensor.clone() for name, tensor in mine.tensors().items()})
    for step in (3, 4):
        for each, owner in ((module, mine), (twin, other)):
            gradient(each, step)
            owner.step(0.5)
    for one, two in zip(module.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("0.weight/exp_avg"), r"'0\.weight' is incomplete"),
        (lambda state: state.update({"9.weight/step": torch.zeros(())}), r"'9\.weight/step' is of no parameter"),
    ],
)
def test_state_of_other_parameters_is_refused(change: Any, said: str) -> None:
    """A moment that is missing, or of no parameter, is an error that names it."""
    module, names = net()
    mine = player(module, names)
    gradient(module, 0)
    mine.step(1.0)
    state: dict[str, Tensor] = {name.removeprefix("model/"): tensor for name, tensor in mine.tensors().items()}
    change(state)
    with pytest.raises(CheckpointError, match=said):
        player(module, names).load(state)
