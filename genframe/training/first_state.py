"""What is taken from data or from the model before gradients move anything: first states, and priors fitted at once."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final, get_args

import torch

from ..model import Model
from ..roles import Prior, fork_rng
from ..types import Context, DataDependent, Fittable, Role
from .observer import Row
from .source import Source

__all__ = ["fit_prior", "take_first_state"]

MOST_ROWS: Final = 10_000  # enough for the covariance of a thousand dimensions; more would cost memory only
MOST_VALUES: Final = 1 << 26
ROWS_AT_ONCE: Final = 1024


def take_first_state(model: Model, source: Source, parts: Collection[str], seed: int = 0) -> bool:
    """Let those of ``parts`` with DataDependent take their first state from rows of ``source``; return if there are any.

    The global generators start from ``seed`` for it, and are given back as they were.
    """
    roles: list[Role] = [role for role in get_args(Role) if role in parts and model.composition.has(role, DataDependent)]
    if not roles:
        return False
    with fork_rng(model.device, seed):
        size = math.prod(model.composition.data.shape)
        batch = source.first(max(1, min(MOST_ROWS, MOST_VALUES // size)), seed)
        model.initialise(batch.x, batch.condition, roles)
    return True


@torch.no_grad()
def fit_prior(model: Model, source: Source) -> Row:
    """Fit a Fittable prior to the codes of all rows at once, and return what it reports, by names such as ``fit/steps``."""
    model.eval()
    codes, contexts = [], []
    for batch in source.each(ROWS_AT_ONCE):
        codes.append(model.codes(batch.x, batch.condition))
        context = model.context(batch.condition) if model.condition is not None else None
        contexts += [context] if context is not None else []
    prior: Prior | Fittable = model.prior
    assert isinstance(prior, Fittable)
    reported = prior.fit(torch.cat(codes), Context.cat(contexts) if contexts else None)
    return {f"fit/{name}": float(value) for name, value in reported.items()}
