"""What metrics do alike: data by seed, stamps, averages that hide nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

import torch
from torch import Tensor

from .data import Split, data_digest
from .plugins import installed
from .roles import Batch, MetricResult, generator_for
from .specs import MetricSpec

__all__ = ["average", "blocks", "not_finite", "stamp"]

BLOCK: Final = 250  # what a datum is prepared with depends on its block, never on a memory limit
DATA: Final = 0  # the first of a metric's streams of randomness; its own draws take others


def blocks(split: Split, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield the prepared split on ``device``, a block at a time: the same data for every metric with this seed and subset."""
    for number, start in enumerate(range(0, len(split), BLOCK)):
        batch = split.batch(slice(start, start + BLOCK), generator_for(split.stored.device, seed, DATA, number))
        yield Batch(batch.x.to(device), batch.condition.to(device) if batch.condition is not None else None)


def stamp(spec: MetricSpec, split: Split, seed: int, **parameters: Any) -> dict[str, Any]:
    """Return the protocol of a figure: metric, versions, data, seed, and what its estimate depends on."""
    namespace = spec.type.partition("/")[0]
    versions = {plugin.distribution: plugin.version for plugin in installed().plugins if plugin.name == namespace}
    return {
        "metric": spec.type,
        "versions": {"genframe": version("genframe"), **versions},
        "split": split.name,
        "digest": data_digest(split.stored.cpu(), split.condition.cpu() if split.condition is not None else None),
        "protocol": dict(split.protocol),
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
