"""The error of a flow's inverse, on data and on latents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from genframe import (
    Batch,
    DataError,
    Metric,
    MetricResult,
    Model,
    Real,
    Space,
    Split,
    blocks,
    evaluating,
    generator_for,
    stamp,
)
from genframe.model import DATA
from genframe.types import Bijective

__all__ = ["InversionMetric"]

LATENTS: Final = DATA + 1


class InversionMetric(Metric):
    """How far a flow's inverse is from an inverse. Behrmann et al. 2021, sec. 3.

    :param bound: the largest error that a result calls within the bound.
    :param limit: how many examples to use, the first of the split; all unless given.

    >>> metric = InversionMetric(bound=1e-3)  # metric.measure(model, test, train=train) measures
    >>> metric.bound
    0.001
    """

    type: ClassVar[str] = "flow/inversion"

    def __init__(self, bound: float = 1e-4, limit: int | None = None) -> None:
        self.bound, self.limit = bound, limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``inversion_largest`` and ``inversion_mean`` of data, and the same of latents; NaN stays in.

        Latents whose data lie on the bounds, where a flow clips, are left out; a note says so.

        :raises DataError: if the split is empty.
        """
        if not len(split):
            raise DataError(f"the split {split.name!r} has no data to measure on")
        used = split.subset(slice(self.limit))
        count = len(used)
        with evaluating(model):
            batches = enumerate(blocks(used, seed, model.device))
            errors = [_errors(model, batch, number, seed) for number, batch in batches]
        data, latents = (torch.cat(parts).double() for parts in zip(*errors, strict=True))
        protocol = stamp(self.type, split, seed, data=count, device=model.device.type)
        left_out = f", {count - len(latents)} of {count} draws left out" if len(latents) < count else ""
        results = [*self._results("inversion", data, protocol)]
        return [*results, *self._results("latent_inversion", latents, protocol, left_out)] if len(latents) else results

    def _results(self, name: str, errors: Tensor, protocol: dict[str, Any], left_out: str = "") -> Iterator[MetricResult]:
        """Yield the largest error and the mean of ``errors`` (N, D)."""
        largest = float(errors.max())
        verdict = "within" if largest <= self.bound else "exceeds"
        note = f"{verdict} the bound {self.bound:g}{left_out}"
        yield MetricResult(f"{name}_largest", largest, "absolute", protocol, note=note)
        yield MetricResult(f"{name}_mean", float(errors.mean()), "absolute", protocol)


def _errors(model: Model, batch: Batch, number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return |x - f⁻¹(f(x))| (B, D), and |z - f(f⁻¹(z))| of those draws z whose data lie within their bounds."""
    encoder, context = model.part("encoder", Bijective), model.context(batch.condition)
    latent, _ = encoder.forward_and_log_det(batch.x, context)
    generator = generator_for(model.device, seed, LATENTS, number)
    drawn = model.latents(model.prior.sample(len(batch.x), context, generator))
    decoded = encoder.inverse(drawn, context)
    back, _ = encoder.forward_and_log_det(decoded, context)
    kept = _within_bounds(decoded, model.composition.data)
    return _distance(batch.x, encoder.inverse(latent, context)), _distance(drawn, back)[kept]


def _within_bounds(x: Tensor, space: Space) -> Tensor:
    """Return whether each example lies within the bounds of ``space`` and not on them: (B,)."""
    if not isinstance(space, Real) or space.low is None or space.high is None:
        return torch.ones(len(x), dtype=torch.bool, device=x.device)
    on_a_bound = (x == space.low) | (x == space.high)
    return ~on_a_bound.flatten(1).any(1)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return (one.double() - other.double()).abs().flatten(1)
