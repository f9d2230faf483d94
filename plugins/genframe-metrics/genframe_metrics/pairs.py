"""What every metric over features compares: features of data, of samples, and of as many training data."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

import torch
from torch import Tensor

from genframe import DataError, Metric, MetricResult, Model, Split, stamp
from genframe.measurement import not_finite

from .estimates import Estimate
from .features import extractor
from .protocol import drawn, draws_of, prepared, samples_in_turn
from .specs import FeatureMetric

__all__ = ["FeatureComparison"]

LEAST: Final = 20

AnyFeatureMetric = TypeVar("AnyFeatureMetric", bound=FeatureMetric)


class FeatureComparison(Metric, Generic[AnyFeatureMetric]):
    """Figures of features of samples beside those of data, and of as many training data in their place.

    ``names`` are those of the figures, ``unit`` is theirs.
    """

    names: ClassVar[tuple[str, ...]]
    unit: ClassVar[str] = ""

    def __init__(self, spec: AnyFeatureMetric) -> None:
        self.spec = spec

    @abstractmethod
    def compare(self, data: Tensor, other: Tensor, generator: torch.Generator) -> Mapping[str, Estimate]:
        """Return the figures by name of features (n, D) of data and (m, D) of what stands beside them."""

    def protocol(self) -> Mapping[str, Any]:
        """Return what the stamp says beside the features, the counts and the seed."""
        return {}

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return each figure with the extractor's name, and behind it that of training data.

        :raises DataError: if there are fewer than 20 data.
        :raises RunError: if the extractor cannot be used.
        """
        used, training = drawn(split, self.spec.n, seed), drawn(train, min(self.spec.n, len(split)), seed)
        for part in (used, training):
            if len(part) < LEAST:
                raise DataError(f"a distance of features needs {LEAST} data, the split {part.name!r} has {len(part)}")
        features = extractor(self.spec.features, model.composition.data, model.device)
        prepared_data = prepared(used, seed, model.device)
        data = features.extract(prepared_data.x)
        samples = features.extract(samples_in_turn(model, len(used), prepared_data, seed))
        known = features.extract(prepared(training, seed, model.device).x)
        counts = {"data": len(data), "samples": len(samples), "features": dict(features.stamp)}
        protocol = stamp(self.spec, split, seed, **counts, **self.protocol())
        results = []
        sides = [("", samples, "samples"), ("_of_data", known, "training data")]
        figures = [(end, what, other, self._figures(data, other, model, seed)) for end, other, what in sides]
        for name in self.names:
            for end, what, other, found in figures:
                one = found[name]
                counted = f"{len(data)} data, {len(other)} {what}, {data.shape[1]} features"
                note = "; ".join(filter(None, [counted, one.note, not_finite(data, "data"), not_finite(other, what)]))
                full = f"{name}{end}({features.name})"
                results.append(MetricResult(full, one.value, self.unit, protocol, one.standard_error, note))
        return results

    def _figures(self, data: Tensor, other: Tensor, model: Model, seed: int) -> Mapping[str, Estimate]:
        if not bool(data.isfinite().all() & other.isfinite().all()):
            return dict.fromkeys(self.names, Estimate(math.nan))
        return self.compare(data, other, draws_of(model, seed))
