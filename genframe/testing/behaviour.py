"""Checks of a built encoder, decoder or prior."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, cast

import safetensors.torch
import torch
from torch import Tensor, nn

from ..roles.parts import Prior
from ..roles.random import generator_for
from ..types.trait.base import methods_of
from ..types.trait.parts import Conditional, Pretrainable
from ..types.trait.priors import Fittable
from .drawing import CONTEXT, departure, draw, draw_context
from .setting import Inputs, Output, PartSetting, seeded

__all__ = ["batches", "context", "everything", "gradients", "same", "seeds", "spaces", "state", "trait_methods"]

BATCH: Final = 5


@torch.no_grad()
def spaces(setting: PartSetting) -> Iterator[str]:
    """Every result is of the space that the spec declares: shape, type, bounds, grid."""
    part, inputs = setting.build(), setting.inputs(BATCH)
    for output in chain(setting.outputs(part, inputs), setting.draws(part, inputs, generator_for("cpu", 0))):
        problem = departure(output.tensor, output.space, BATCH)
        if problem:
            yield f"{output.name} on {setting}: {problem}"


def trait_methods(setting: PartSetting) -> Iterator[str]:
    """The built part has the methods of every declared trait; a fit gives figures."""
    part = setting.build()
    for trait in sorted(setting.spec.provides, key=lambda trait: trait.__name__):
        missing = [name for name in methods_of(trait) if not hasattr(part, name)]
        if missing:
            yield f"declares {trait.__name__}, but {type(part).__name__} has no {', '.join(missing)}"
    if isinstance(part, Fittable) and setting.provides(Fittable):
        codes = draw(setting.spaces[1], 64)
        contexts = draw_context(setting.context, 64)
        figures = part.fit(codes, contexts, generator_for("cpu", 0))
        if not isinstance(figures, dict):
            yield f"fit must return a dictionary of figures, found {figures!r}"


def gradients(setting: PartSetting) -> Iterator[str]:
    """A random functional of all results has a gradient in every parameter that asks for one."""
    part = setting.shaken().train()
    inputs = setting.inputs(BATCH)
    with seeded(0):
        results = [output.tensor for output in [*setting.outputs(part, inputs), *setting.draws(part, inputs, None)]]
        if isinstance(part, Prior) and any(parameter.requires_grad for parameter in part.parameters()):
            results += _objectives(part, inputs)
        if setting.provides(Pretrainable):
            results.append(cast(Pretrainable, part).objective(inputs.data, inputs.context).total)
        terms = [(result * torch.randn_like(result)).sum() for result in results if result.requires_grad]
    if terms:
        torch.stack(terms).sum().backward()
    yield from without_gradient(part, str(setting))


def _objectives(prior: Prior, inputs: Inputs) -> list[Tensor]:
    """Return the prior's own objective for each player, where it has one."""
    if type(prior).objective is Prior.objective:
        return []
    return [prior.objective(inputs.latent, inputs.context, player).total for player in prior.players]


def without_gradient(part: nn.Module, where: str) -> Iterator[str]:
    """Yield a sentence for each parameter that no gradient, or not a finite one, has reached."""
    for name, parameter in part.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None or not bool(parameter.grad.any()):
            yield f"on {where}, no gradient reaches the parameter {name!r}; use it, or make it a buffer"
        elif not bool(torch.isfinite(parameter.grad).all()):
            yield f"on {where}, the gradient of the parameter {name!r} is not finite"


@torch.no_grad()
def seeds(setting: PartSetting) -> Iterator[str]:
    """The same seed builds the same weights and draws the same values, whatever the global generator does."""
    parts = setting.build(3), setting.build(3)
    states = [part.state_dict() for part in parts]
    for name in states[0]:
        if not torch.equal(states[0][name], states[1][name]):
            yield f"built twice under one seed, {name!r} differs; initialise from torch's global generator only"
    runs = [everything(setting, part, seed) for seed, part in enumerate(parts)]
    for first, second in zip(*runs, strict=True):
        if not same(first.tensor, second.tensor, exact=True):
            yield f"{first.name} on {setting} differs under one seed; pass 'generator' on to everything that draws"
    yield from _stuck(setting, parts[0])


def everything(setting: PartSetting, part: nn.Module, seed: int) -> list[Output]:
    """Return all that a part gives for one batch, with torch's global generator in a state of ``seed``'s."""
    inputs = setting.inputs(BATCH)
    with seeded(100 + seed):
        return [*setting.outputs(part, inputs), *setting.draws(part, inputs, generator_for("cpu", 7))]


def _stuck(setting: PartSetting, part: nn.Module) -> Iterator[str]:
    """Yield a sentence where another seed draws the same values."""
    inputs = setting.inputs(64)
    draws = [list(setting.draws(part, inputs, generator_for("cpu", seed))) for seed in (1, 2)]
    for first, second in zip(*draws, strict=True):
        if torch.equal(first.tensor, second.tensor):
            yield f"{first.name} on {setting} is the same under two seeds"


@torch.no_grad()
def batches(setting: PartSetting) -> Iterator[str]:
    """In evaluation mode each example's result is its own: it does not depend on what else is in the batch."""
    part, inputs = setting.shaken(), setting.inputs(BATCH)
    for whole, few in zip(setting.outputs(part, inputs), setting.outputs(part, inputs.first(2)), strict=True):
        if not same(whole.tensor[:2], few.tensor):
            yield f"{whole.name} on {setting} changes with the rest of the batch"


@torch.no_grad()
def state(setting: PartSetting) -> Iterator[str]:
    """All that a part has learnt is in its state, each tensor once, and safetensors takes it there and back."""
    part, fresh = setting.shaken(1), setting.build(2)
    yield from registered_twice(part)
    yield from _owned(setting)
    part.train()
    with seeded(0):
        everything(setting, part, 0)
    part.eval()
    fresh.load_state_dict(safetensors.torch.load(safetensors.torch.save(distinct(part.state_dict()))))
    for kept, restored in zip(everything(setting, part, 0), everything(setting, fresh, 0), strict=True):
        if not same(kept.tensor, restored.tensor, exact=True):
            yield f"{kept.name} on {setting} differs after its state was saved and loaded; register what it learns as state"


def registered_twice(part: nn.Module) -> Iterator[str]:
    """Yield a sentence for each tensor that two names of the state share."""
    first: dict[Tensor, str] = {}
    for name, tensor in part.state_dict(keep_vars=True).items():
        if tensor in first:
            yield f"the state has one tensor twice, as {first[tensor]!r} and {name!r}; register it once"
        first[tensor] = name


def _owned(setting: PartSetting) -> Iterator[str]:
    """Yield a sentence for each tensor of the encoder that a tied part has registered as its own."""
    companion = setting.companion()
    if companion is None:
        return
    theirs = set(companion.state_dict(keep_vars=True).values())
    for name, tensor in setting.make(companion).state_dict(keep_vars=True).items():
        if tensor in theirs:
            yield f"it owns {name!r}, a tensor of the encoder it is tied to; hold the encoder in a tuple"


def distinct(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies that share no memory, as safetensors wants them."""
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def context(setting: PartSetting) -> Iterator[str]:
    """A conditional part's results change with the context, unless it was built without one."""
    if not setting.provides(Conditional):
        return
    part, inputs = setting.shaken(), setting.inputs(BATCH)
    other = Inputs(inputs.data, inputs.latent, draw_context(setting.context or CONTEXT, BATCH, 99))
    runs = [[*setting.outputs(part, rows), *setting.draws(part, rows, generator_for("cpu", 0))] for rows in (inputs, other)]
    given, others = ({output.name: output.tensor for output in outputs} for outputs in runs)
    unchanged = [same(given[name], others[name]) for name in given]
    if setting.context is not None and all(unchanged):
        yield f"declares Conditional, but on {setting} no result changes with the context"
    if setting.context is None and not all(unchanged):
        yield f"built without a context, it reads one on {setting}; a model may leave it out of those that do"


def same(first: Tensor, second: Tensor, *, exact: bool = False) -> bool:
    """Return whether two tensors are equal, up to rounding unless ``exact``."""
    if exact or not first.is_floating_point():
        return torch.equal(first, second)
    return torch.allclose(first, second, rtol=1e-4, atol=1e-5)
