"""The error of a flow's inverse, on data and on latents."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final, cast

import torch
from torch import Tensor

from genframe import Batch, DataError, Metric, MetricResult, Model, Split, data_digest, evaluating, generator_for
from genframe.traits import Bijective

from .specs.metrics import Inversion

__all__ = ["InversionMetric"]

BLOCK: Final = 250
DATA, LATENTS = range(2)


class InversionMetric(Metric):
    """Differences between values and what the flow and its inverse, or the two the other way round, make of them."""

    def __init__(self, spec: Inversion) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``inversion_largest`` and ``inversion_mean`` of data, and the same of latents; NaN stays in.

        :raises DataError: if the split is empty.
        """
        if not len(split):
            raise DataError(f"the split {split.name!r} has no data to measure on")
        count = min(len(split), self.spec.limit or len(split))
        with evaluating(model):
            errors = [_errors(model, batch, number, seed) for number, batch in enumerate(_blocks(model, split, count, seed))]
        data, latents = (torch.cat(parts).double() for parts in zip(*errors, strict=True))
        protocol = self._stamp(model, split, count, seed)
        return [*self._figures("inversion", data, protocol), *self._figures("latent_inversion", latents, protocol)]

    def _figures(self, name: str, errors: Tensor, protocol: dict[str, Any]) -> Iterator[MetricResult]:
        """Yield the largest error and the mean of ``errors`` (N, D)."""
        largest = float(errors.max())
        verdict = "within" if largest <= self.spec.bound else "exceeds"
        yield MetricResult(f"{name}_largest", largest, "absolute", protocol, note=f"{verdict} the bound {self.spec.bound:g}")
        yield MetricResult(f"{name}_mean", float(errors.mean()), "absolute", protocol)

    def _stamp(self, model: Model, split: Split, count: int, seed: int) -> dict[str, Any]:
        """Return the protocol of a figure."""
        return {
            "metric": self.spec.type,
            "versions": {name: version(name) for name in ("genframe", "genframe-flow")},
            "split": split.name,
            "digest": data_digest(split.stored.cpu(), split.condition.cpu() if split.condition is not None else None),
            "protocol": dict(split.protocol),
            "data": count,
            "of": len(split),
            "seed": seed,
            "device": model.device.type,
        }


def _blocks(model: Model, split: Split, count: int, seed: int) -> Iterator[Batch]:
    """Yield the first ``count`` data on the model's device."""
    for number, start in enumerate(range(0, count, BLOCK)):
        generator = generator_for(split.stored.device, seed, DATA, number)
        batch = split.batch(slice(start, min(start + BLOCK, count)), generator)
        yield Batch(batch.x.to(model.device), batch.condition.to(model.device) if batch.condition is not None else None)


def _errors(model: Model, batch: Batch, number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return |x - f⁻¹(f(x))| and |z - f(f⁻¹(z))|: (B, D) each."""
    encoder, context = cast(Bijective, model.encoder), model.context(batch.condition)
    latent, _ = encoder.forward_and_log_det(batch.x, context)
    generator = generator_for(model.device, seed, LATENTS, number)
    drawn = model.latents(model.prior.sample(len(batch.x), context, generator))
    back, _ = encoder.forward_and_log_det(encoder.inverse(drawn, context), context)
    return _distance(batch.x, encoder.inverse(latent, context)), _distance(drawn, back)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return (one.double() - other.double()).abs().flatten(1)
