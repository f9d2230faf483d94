"""Checks of losses, inside a small model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import safetensors.torch
import torch
from torch import Tensor

from ..model.model import Model
from ..types.values import Batch
from .behaviour import distinct, registered_twice
from .setting import ModelSetting, seeded

__all__ = ["averaged", "learns", "scalars", "state", "steady"]

BATCH: Final = 5
REPEATS: Final = 24


def scalars(setting: ModelSetting) -> Iterator[str]:
    """Each player's total is a finite scalar with a gradient, its metrics are scalars without one."""
    model = setting.model().train()
    for player in setting.composition.players:
        output = model.loss(model, setting.batch(BATCH), player)
        total = output.total
        if total.shape != () or not total.is_floating_point() or not bool(torch.isfinite(total)):
            yield f"player {player!r} in {setting}: the total must be a finite scalar, found {total}"
        for name, value in output.metrics.items():
            if not isinstance(value, Tensor) or value.shape != () or value.requires_grad:
                yield f"player {player!r} in {setting}: the metric {name!r} must be a detached scalar, found {value!r}"


def learns(setting: ModelSetting) -> Iterator[str]:
    """Each player's total reaches a parameter of that player, and every parameter of the loss is some player's and reached."""
    model = setting.model().train()
    owned: set[Tensor] = set()
    reached: set[Tensor] = set()
    for player in setting.composition.players:
        parameters = list(model.loss.player_parameters(model, player))
        mine = _reached(model, setting.batch(BATCH), player) & set(parameters)
        owned, reached = owned | set(parameters), reached | mine
        if parameters and not mine:
            yield f"the total of player {player!r} in {setting} has no gradient in any parameter of that player"
    for name, parameter in model.loss.named_parameters():
        if parameter not in owned:
            yield f"the loss's parameter {name!r} belongs to no player, so it is never trained"
        elif parameter.requires_grad and parameter not in reached:
            yield f"no gradient of any player in {setting} reaches the loss's parameter {name!r}"


def _reached(model: Model, batch: Batch, player: str) -> set[Tensor]:
    model.zero_grad()
    total = model.loss(model, batch, player).total
    if total.requires_grad:
        total.backward()
    return {parameter for parameter in model.parameters() if parameter.grad is not None and bool(parameter.grad.any())}


def steady(setting: ModelSetting) -> Iterator[str]:
    """The same seed builds the same loss and gives the same total."""
    for player in setting.composition.players:
        totals = [_total(setting.model(3), setting.batch(BATCH), player, seed=5) for _ in range(2)]
        if totals[0] != totals[1]:
            yield f"the total of player {player!r} in {setting} is {totals[0]} and {totals[1]} under one seed"


@torch.no_grad()
def averaged(setting: ModelSetting) -> Iterator[str]:
    """The total is averaged over the batch: a batch twice over has the same one (in the mean, where it draws)."""
    model, batch = setting.model(), setting.batch(BATCH)
    twice = Batch(batch.x.repeat(2, *[1] * (batch.x.dim() - 1)), None if batch.condition is None else batch.condition.repeat(2))
    for player in setting.composition.players:
        once, double = (_totals(model, data, player) for data in (batch, twice))
        error = math.sqrt(float(once.var() / len(once) + double.var() / len(double)))
        slack = 6 * error + 1e-4 * (1 + abs(float(once.mean())))
        if abs(float(once.mean() - double.mean())) > slack:
            yield (
                f"the total of player {player!r} in {setting} is {float(once.mean()):.5g} for a batch and "
                f"{float(double.mean()):.5g} for the same batch twice over; average it over the batch"
            )


def _totals(model: Model, batch: Batch, player: str) -> Tensor:
    """Return totals under different seeds: two where they are alike, else many."""
    totals = [_total(model, batch, player, seed) for seed in range(2)]
    if totals[0] != totals[1]:
        totals += [_total(model, batch, player, seed) for seed in range(2, REPEATS)]
    return torch.tensor(totals, dtype=torch.float64)


def _total(model: Model, batch: Batch, player: str, seed: int) -> float:
    with seeded(seed):
        return float(model.loss(model, batch, player).total.detach())


@torch.no_grad()
def state(setting: ModelSetting) -> Iterator[str]:
    """What a loss has learnt is in its state, each tensor once, and comes back from safetensors."""
    model, fresh = setting.model(1), setting.model(2)
    yield from registered_twice(model.loss)
    model.train()
    for player in setting.composition.players:
        _total(model, setting.batch(BATCH), player, seed=0)
    model.eval()
    fresh.load_state_dict(safetensors.torch.load(safetensors.torch.save(distinct(model.state_dict()))))
    for player in setting.composition.players:
        kept, restored = (_total(each, setting.batch(BATCH), player, seed=0) for each in (model, fresh))
        if kept != restored:
            yield f"the total of player {player!r} in {setting} is {kept}, after its state was saved and loaded {restored}"
