"""Checks of metrics, on small untrained models."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Final

import torch

from ..roles.data import Split
from ..roles.metric import Metric, MetricResult
from .part import part
from .setting import ModelSetting, seeded

__all__ = ["answers", "measures"]

ROWS: Final = 48


def answers(settings: Sequence[ModelSetting]) -> Iterator[str]:
    """For every model it says why it has no meaning, or nothing; for some it says nothing."""
    replies = []
    for setting in settings:
        reply = setting.spec.refusal(setting.composition)
        replies.append(reply)
        if not isinstance(reply, str):
            yield f"refusal must give a reason or an empty string, for {setting} it gave {reply!r}"
    if all(replies):
        yield f"it refuses all {len(replies)} models the kit tried: {replies[0] if replies else 'none'!r}; give an Example"


@torch.no_grad()
def measures(settings: Sequence[ModelSetting]) -> Iterator[str]:
    """Where it does not refuse, figures are finite, stamped with their protocol, and the same under one seed."""
    first_of_kind: dict[object, ModelSetting] = {}
    for setting in settings:
        if not setting.spec.refusal(setting.composition):
            first_of_kind.setdefault((setting.composition.density, setting.composition.condition), setting)
    for setting in first_of_kind.values():
        first, second = (_measure(setting, seed) for seed in (0, 1))
        if not first:
            yield f"in {setting}, it gives no figure"
        for result in first:
            yield from (f"in {setting}, {result.name or 'a figure'} {problem}" for problem in _faults(result))
        names = [[result.name for result in results] for results in (first, second)]
        if setting.spec.reproducible and [str(result) for result in first] != [str(result) for result in second]:
            yield f"in {setting}, figures differ under one seed: {first[0]} and {second[0]}"
        elif names[0] != names[1]:
            yield f"in {setting}, figures have other names each time: {names[0]} and {names[1]}"


def _measure(setting: ModelSetting, seed: int) -> list[MetricResult]:
    train, test = (_split(setting, name, number) for number, name in enumerate(("train", "test")))
    with seeded(seed):
        metric: Metric = part(setting.spec)
        return metric.measure(setting.model(), test, train=train, seed=3)


def _split(setting: ModelSetting, name: str, seed: int) -> Split:
    batch = setting.batch(ROWS, seed)
    return Split(name, batch.x, batch.condition, protocol={"data": "random", "split": name})


def _faults(result: MetricResult) -> Iterator[str]:
    if not result.name:
        yield "has no name"
    if not math.isfinite(result.value):
        yield f"is {result.value}"
    if not result.stamp:
        yield "has an empty stamp; say by which protocol it was measured"
    try:
        json.dumps(result.stamp)
    except (TypeError, ValueError) as error:
        yield f"has a stamp that is not plain data: {error}"
