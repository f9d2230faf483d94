"""What every metric does alike: data by seed, modes kept, averages that hide nothing, stamps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

import torch
from torch import Tensor

from genframe import Batch, DataError, MetricResult, MetricSpec, Model, Split, data_digest, evaluating, generator_for

__all__ = ["average", "blocks", "drawn", "draws_of", "not_finite", "prepared", "samples_in_turn", "stamp"]

BLOCK: Final = 250  # what a datum is prepared with depends on its block, never on a memory limit
DATA, DRAWS, SUBSET = range(3)


def drawn(split: Split, limit: int | None, seed: int) -> Split:
    """Return ``limit`` data of the split in an order drawn by the seed, or the whole split as it is for ``None``.

    :raises DataError: if the split is empty.
    """
    if not len(split):
        raise DataError(f"the split {split.name!r} has no data to measure on")
    if limit is None:
        return split
    order = torch.randperm(len(split), generator=generator_for("cpu", seed, SUBSET))[:limit].to(split.stored.device)
    condition = split.condition[order] if split.condition is not None else None
    return replace(split, stored=split.stored[order], condition=condition)


def blocks(split: Split, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield the prepared split on ``device``: the same data for every metric with this seed and subset."""
    for number, start in enumerate(range(0, len(split), BLOCK)):
        batch = split.batch(slice(start, start + BLOCK), generator_for(split.stored.device, seed, DATA, number))
        yield Batch(batch.x.to(device), batch.condition.to(device) if batch.condition is not None else None)


def prepared(split: Split, seed: int, device: torch.device) -> Batch:
    """Return the whole prepared split on ``device``."""
    batches = list(blocks(split, seed, device))
    conditions = [batch.condition for batch in batches if batch.condition is not None]
    return Batch(torch.cat([batch.x for batch in batches]), torch.cat(conditions) if conditions else None)


def samples_in_turn(model: Model, n: int, data: Batch, seed: int) -> Tensor:
    """Return ``n`` samples (n, data), of a conditional model under the conditions of ``data`` in turn."""
    condition = data.condition if model.composition.condition is not None else None
    if condition is not None:
        condition = condition[torch.arange(n, device=condition.device) % len(condition)]
    with evaluating(model):
        return model.sample(n, condition, seed=seed).x


def draws_of(model: Model, seed: int) -> torch.Generator:
    """Return the generator of a metric's own draws."""
    return generator_for(model.device, seed, DRAWS)


def stamp(spec: MetricSpec, split: Split, used: Split, seed: int, **parameters: Any) -> dict[str, Any]:
    """Return the protocol of a figure: metric, versions, data, seed, and what its estimate depends on."""
    return {
        "metric": spec.type,
        "versions": {name: version(name) for name in ("genframe", "genframe-metrics")},
        "split": split.name,
        "digest": data_digest(split.stored.cpu(), split.condition.cpu() if split.condition is not None else None),
        "protocol": dict(split.protocol),
        "data": len(used),
        "of": len(split),
        "seed": seed,
        **parameters,
    }


def not_finite(values: Tensor, what: str) -> str:
    """Return a note of how many rows of ``values`` (N, ...) hold NaN or infinity, empty if none."""
    bad = int((~values.flatten(1).isfinite().all(1)).sum()) if values.ndim > 1 else int((~values.isfinite()).sum())
    return f"{bad} of {len(values)} {what} are not finite" if bad else ""


def average(name: str, values: Tensor, unit: str, protocol: dict[str, Any], note: str = "") -> MetricResult:
    """Return the mean over data of ``values`` (N,) with its standard error; NaN stays in and is noted."""
    values = values.double()
    error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else None
    notes = "; ".join(text for text in (note, not_finite(values, "values")) if text)
    return MetricResult(name, float(values.mean()), unit, protocol, error, notes)
