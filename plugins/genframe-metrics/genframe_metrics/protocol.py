"""The protocol that these metrics share: subsets by seed, prepared data, and samples under the data's conditions."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from genframe import Batch, DataError, Model, Split, blocks, generator_for
from genframe.model import DATA, samples

__all__ = ["conditions_in_turn", "drawn", "draws_of", "prepared", "prepared_for", "samples_in_turn"]

DRAWS: Final = DATA + 1
SUBSET: Final = DATA + 2


def drawn(split: Split, limit: int | None, seed: int) -> Split:
    """Return ``limit`` examples of the split in an order drawn by the seed, or for ``None`` the whole split as it is.

    :raises DataError: if the split is empty.
    """
    if not len(split):
        raise DataError(f"the split {split.name!r} has no data to measure on")
    if limit is None:
        return split
    order = torch.randperm(len(split), generator=generator_for("cpu", seed, SUBSET))[:limit].to(split.device)
    return split.subset(order)


def prepared(split: Split, seed: int, device: torch.device) -> Batch:
    """Return the whole prepared split on ``device``, as :func:`genframe.blocks` gives it."""
    batches = list(blocks(split, seed, device))
    conditions = [batch.condition for batch in batches if batch.condition is not None]
    return Batch(torch.cat([batch.x for batch in batches]), torch.cat(conditions) if conditions else None)


def prepared_for(model: Model, split: Split, seed: int) -> tuple[Tensor, Tensor | None]:
    """Return the whole prepared split on the model's device, and its condition if the model has one."""
    batch = prepared(split, seed, model.device)
    return batch.x, batch.condition if model.composition.condition is not None else None


def conditions_in_turn(model: Model, n: int, data: Batch) -> Tensor | None:
    """Return the conditions of ``data`` in turn, (n, ...), for a conditional model; ``None`` for others."""
    if model.composition.condition is None or data.condition is None:
        return None
    condition: Tensor = data.condition
    return condition[torch.arange(n, device=condition.device) % len(condition)]


def samples_in_turn(model: Model, n: int, data: Batch, seed: int) -> Tensor:
    """Return ``n`` samples (n, data), of a conditional model under the conditions of ``data`` in turn."""
    return samples(model, n, conditions_in_turn(model, n, data), seed)


def draws_of(model: Model, seed: int) -> torch.Generator:
    """Return the generator of a metric's own draws."""
    return generator_for(model.device, seed, DRAWS)
