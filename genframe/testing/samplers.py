"""Checks of samplers, inside a small model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch

from ..roles.random import generator_for
from ..types.trait.parts import Completing
from ..types.values import Context
from .drawing import departure, draw_context, unbounded
from .setting import ModelSetting, seeded

__all__ = ["completes", "seeds", "walks"]

N: Final = 3


@torch.no_grad()
def walks(setting: ModelSetting) -> Iterator[str]:
    """Its states are data of the model's space, counted up to the number of steps it announces."""
    model, data = setting.model(), unbounded(setting.composition.data)
    states = list(model.sampler.trajectory(model, N, _context(setting), generator_for("cpu", 0)))
    if not states:
        yield f"in {setting}, the trajectory has no state"
        return
    for state in states:
        problem = departure(state.x, data, N)
        if problem:
            yield f"in {setting}, state {state.step} of {state.steps}: {problem}"
    counts = [state.step for state in states]
    if counts != sorted(set(counts)) or states[-1].step != states[-1].steps:
        yield f"in {setting}, steps must rise to the number announced, {states[-1].steps}, found {counts[-8:]}"


@torch.no_grad()
def seeds(setting: ModelSetting) -> Iterator[str]:
    """The same generator draws the same data, whatever the global generator does; another one draws others."""
    drawn = []
    for seed, own in ((0, 7), (1, 7), (1, 8)):
        model = setting.model()
        with seeded(seed):
            drawn.append(model.sampler.draw(model, N, _context(setting), generator_for("cpu", own)))
    if not torch.equal(drawn[0], drawn[1]):
        yield f"in {setting}, samples differ under one seed; pass 'generator' on to everything that draws"
    if drawn[1].is_floating_point() and torch.equal(drawn[1], drawn[2]):
        yield f"in {setting}, samples are the same under two seeds"


@torch.no_grad()
def completes(setting: ModelSetting) -> Iterator[str]:
    """With Completing, what is known stays, and where nothing is known it draws what :meth:`draw` does."""
    model = setting.model()
    if not isinstance(model.sampler, Completing):
        return
    context, space = _context(setting), setting.composition.code
    plain = model.sampler.draw(model, N, context, generator_for("cpu", 0))
    if model.composition.data != space:
        return  # what is known of a code is not seen in the data
    for known in (False, True):
        mask = torch.full(space.shape, known)
        drawn = model.sampler.complete(model, plain, mask, context, generator_for("cpu", 7 if known else 0))
        if not torch.equal(drawn, plain):
            kept = "all is known, and it is not what comes back" if known else "nothing is known, and other data are drawn"
            yield f"in {setting}, {kept}"


def _context(setting: ModelSetting) -> Context | None:
    return draw_context(setting.context, N)
