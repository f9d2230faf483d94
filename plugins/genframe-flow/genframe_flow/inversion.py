"""The error of a flow's inverse, on data and on latents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import torch
from torch import Tensor

from genframe import Batch, DataError, Metric, MetricResult, Model, Real, Space, Split, blocks, evaluating, generator_for, stamp
from genframe.measurement import DATA
from genframe.traits import Bijective

from .specs.metrics import Inversion

__all__ = ["InversionMetric"]

LATENTS: Final = DATA + 1


class InversionMetric(Metric):
    """Differences between values and what the flow and its inverse, or the two the other way round, make of them."""

    def __init__(self, spec: Inversion) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``inversion_largest`` and ``inversion_mean`` of data, and the same of latents; NaN stays in.

        Latents whose data lie on the bounds, where a flow cuts off what is beyond, are left out; a note says so.

        :raises DataError: if the split is empty.
        """
        if not len(split):
            raise DataError(f"the split {split.name!r} has no data to measure on")
        used = split.subset(slice(self.spec.limit))
        count = len(used)
        with evaluating(model):
            batches = enumerate(blocks(used, seed, model.device))
            errors = [_errors(model, batch, number, seed) for number, batch in batches]
        data, latents = (torch.cat(parts).double() for parts in zip(*errors, strict=True))
        protocol = stamp(self.spec, split, seed, data=count, device=model.device.type)
        left_out = f", {count - len(latents)} of {count} draws left out" if len(latents) < count else ""
        figures = [*self._figures("inversion", data, protocol)]
        return [*figures, *self._figures("latent_inversion", latents, protocol, left_out)] if len(latents) else figures

    def _figures(self, name: str, errors: Tensor, protocol: dict[str, Any], left_out: str = "") -> Iterator[MetricResult]:
        """Yield the largest error and the mean of ``errors`` (N, D)."""
        largest = float(errors.max())
        verdict = "within" if largest <= self.spec.bound else "exceeds"
        note = f"{verdict} the bound {self.spec.bound:g}{left_out}"
        yield MetricResult(f"{name}_largest", largest, "absolute", protocol, note=note)
        yield MetricResult(f"{name}_mean", float(errors.mean()), "absolute", protocol)


def _errors(model: Model, batch: Batch, number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return |x - f⁻¹(f(x))| (B, D), and |z - f(f⁻¹(z))| of those draws z whose data lie within their bounds."""
    encoder, context = cast(Bijective, model.encoder), model.context(batch.condition)
    latent, _ = encoder.forward_and_log_det(batch.x, context)
    generator = generator_for(model.device, seed, LATENTS, number)
    drawn = model.latents(model.prior.sample(len(batch.x), context, generator))
    decoded = encoder.inverse(drawn, context)
    back, _ = encoder.forward_and_log_det(decoded, context)
    kept = _within_bounds(decoded, model.composition.data)
    return _distance(batch.x, encoder.inverse(latent, context)), _distance(drawn, back)[kept]


def _within_bounds(x: Tensor, space: Space) -> Tensor:
    """Return whether each datum lies within the bounds of ``space`` and not on them: (B,)."""
    if not isinstance(space, Real) or space.low is None or space.high is None:
        return torch.ones(len(x), dtype=torch.bool, device=x.device)
    on_a_bound = (x == space.low) | (x == space.high)
    return ~on_a_bound.flatten(1).any(1)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return (one.double() - other.double()).abs().flatten(1)
