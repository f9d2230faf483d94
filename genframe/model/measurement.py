"""What every metric needs: prepared data by seed, samples drawn once, the stamp of a result, and an honest average."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any, Final

import torch
from torch import Tensor

from ..plugins import installed
from ..roles import MetricResult, Split, data_digest, generator_for
from ..types import Batch
from .model import Model

__all__ = ["DATA", "average", "blocks", "not_finite", "samples", "sharing_samples", "stamp"]

DATA: Final = 0  # the first of a metric's streams of random numbers; what it draws itself comes from later ones
BLOCK: Final = 250  # examples prepared together; the noise of an example depends on its block, never on a memory limit


def blocks(split: Split, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield the prepared split on ``device``, a block at a time: the same data for every metric with this seed and subset."""
    for number, start in enumerate(range(0, len(split), BLOCK)):
        batch = split.batch(slice(start, start + BLOCK), generator_for(split.device, seed, DATA, number))
        yield batch.to(device)


# Samples, and the conditions under which they were drawn, by model and seed.
_shared: ContextVar[dict[tuple[Model, int], tuple[Tensor, Tensor | None]] | None] = ContextVar("_shared", default=None)


@contextmanager
def sharing_samples() -> Iterator[None]:
    """Let all metrics see the same samples of a model; inside the context the model must not change."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def samples(model: Model, n: int, condition: Tensor | None, seed: int) -> Tensor:
    """Return ``n`` samples (n, data), drawn once for all metrics that ask for them; do not change them in place.

    A sample does not depend on how many are drawn, so fewer samples are the first of more.
    """
    shared = _shared.get()
    if shared is not None and (model, seed) in shared:
        drawn, given = shared[model, seed]
        if len(drawn) >= n and _same(given, condition, n):
            return drawn[:n]
    drawn = model.sample(n, condition, seed=seed).x
    if shared is not None:
        shared[model, seed] = drawn, condition
    return drawn


def _same(given: Tensor | None, condition: Tensor | None, n: int) -> bool:
    return given is condition is None or (given is not None and condition is not None and torch.equal(given[:n], condition))


def stamp(metric: str, split: Split, seed: int, **parameters: Any) -> dict[str, Any]:
    """Return the protocol of a result: metric, versions, dataset, seed, and the ``parameters`` that its estimate depends on.

    :param metric: the metric's name, such as ``vq/codebook``; the version of that plugin is noted.
    """
    namespace = metric.partition("/")[0]
    versions = {plugin.distribution: plugin.version for plugin in installed().plugins if plugin.name == namespace}
    return {
        "metric": metric,
        "versions": {"genframe": version("genframe"), **versions},
        "split": split.name,
        "digest": data_digest(split.stored, split.condition),
        "protocol": dict(split.protocol),
        "of": len(split),
        "seed": seed,
        **parameters,
    }


def not_finite(values: Tensor, what: str) -> str:
    """Return a note that says how many rows of ``values`` (N, ...) hold NaN or infinity; empty if none does."""
    bad = int((~values.flatten(1).isfinite().all(1)).sum()) if values.ndim > 1 else int((~values.isfinite()).sum())
    return f"{bad} of {len(values)} {what} are not finite" if bad else ""


def average(name: str, values: Tensor, unit: str, protocol: dict[str, Any], note: str = "") -> MetricResult:
    """Return the mean of ``values`` (N,), one per example, with its standard error; NaN stays in and is noted."""
    values = values.double()
    error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else None
    notes = "; ".join(text for text in (note, not_finite(values, "values")) if text)
    return MetricResult(name, float(values.mean()), unit, protocol, error, notes)
