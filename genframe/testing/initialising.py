"""Checks of parts that take their first state from data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import torch
from torch import nn

from ..types.trait.encoders import Bijective
from ..types.trait.parts import DataDependent
from .behaviour import everything, same
from .probability import jacobians
from .setting import PartSetting, seeded

__all__ = ["initialised"]

DATA: Final = 64


def initialised(setting: PartSetting) -> Iterator[str]:
    """The first state is finite, a function of the data, set in place, all in the state; a bijection stays one."""
    if not (setting.provides(DataDependent) and isinstance(setting.build(), DataDependent)):
        return
    fresh, part, again = setting.build(), _initialised(setting), _initialised(setting)
    repeated, unmoved = again.state_dict(), fresh.state_dict()
    for name, tensor in part.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            yield f"initialise on {setting} leaves NaN or infinity in {name!r}"
        elif not same(tensor, repeated[name], exact=True):
            yield f"initialise on {setting} leaves another {name!r} at a second part, from the same data under the same seed"
    if unmoved and all(same(tensor, unmoved[name], exact=True) for name, tensor in part.state_dict().items()):
        yield f"declares DataDependent, but initialise on {setting} changes nothing"
    yield from _complete(setting, part, fresh)
    if setting.provides(Bijective):
        yield from (f"after initialise, {problem}" for problem in jacobians(setting, part))


def _initialised(setting: PartSetting) -> nn.Module:
    """Return the part after it took its first state from random data.

    :raises TypeError: if it has other parameters then, which an optimizer would not know.
    """
    part, inputs = setting.build(), setting.inputs(DATA)
    before = dict(part.named_parameters())
    with torch.no_grad(), seeded(0):
        cast(DataDependent, part).initialise(inputs.data, inputs.context)
    for name, parameter in part.named_parameters():
        if parameter is not before.get(name):
            raise TypeError(f"initialise puts a new parameter {name!r} in the old one's place; change it in place")
    return part


@torch.no_grad()
def _complete(setting: PartSetting, part: nn.Module, fresh: nn.Module) -> Iterator[str]:
    """Yield a sentence where a part that was not initialised, with the state of one that was, gives other results."""
    fresh.load_state_dict(part.state_dict())
    for kept, restored in zip(everything(setting, part, 0), everything(setting, fresh, 0), strict=True):
        if not same(kept.tensor, restored.tensor, exact=True):
            yield f"after initialise, {kept.name} on {setting} is not a function of the state; keep all that it sets there"
