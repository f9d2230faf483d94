"""Checks of priors that are drawn from at a temperature, and of the levels that may each have one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from ..roles.parts import Prior
from ..roles.random import generator_for
from ..types.trait.priors import Tempered
from .behaviour import same
from .parts import EncoderSetting, PriorSetting
from .setting import PartSetting

__all__ = ["levels", "tempered"]

DRAWS: Final = 256
COLD: Final = 0.05


def levels(setting: PartSetting) -> Iterator[str]:
    """The sizes of a code's levels add up to its dimensions."""
    if isinstance(setting, EncoderSetting):
        sizes, dims = setting.spec.levels(setting.data), setting.spec.code_space(setting.data).dims
        if sum(sizes) != dims or min(sizes, default=0) < 1:
            yield f"on {setting}, the levels {sizes} do not divide a code of {dims} dimensions"


@torch.no_grad()
def tempered(setting: PartSetting) -> Iterator[str]:
    """At temperature 1 the draws are those of ``sample``, near 0 they spread less; a tensor acts on each dimension."""
    part = setting.shaken()
    if not (isinstance(part, Tempered) and isinstance(part, Prior) and isinstance(setting, PriorSetting)):
        return
    prior: Tempered = part
    context = setting.inputs(DRAWS).context

    def at(temperature: float | Tensor) -> Tensor:
        return prior.sample_at(temperature, DRAWS, context, generator_for("cpu", 0))

    warm = part.sample(DRAWS, context, generator_for("cpu", 0))
    if not same(at(1.0), warm):
        yield f"sample_at on {setting} at temperature 1 does not draw what sample draws with the same generator"
    if not _spread(at(COLD)) < 0.99 * _spread(warm):
        yield f"sample_at on {setting} at temperature {COLD} spreads as widely as at 1"
    if not same(at(torch.full(setting.code.shape, COLD)), at(COLD)):
        yield f"sample_at on {setting} draws otherwise at a tensor of equal temperatures than at their value"


def _spread(codes: Tensor) -> float:
    """Return the variance of a dimension over the draws, the mean over all dimensions."""
    return float(codes.flatten(1).double().var(0).mean())
