"""What every metric over features compares: features of data, of samples, and of as many training examples."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from genframe import DataError, Metric, MetricResult, Model, Split, stamp
from genframe.model import not_finite

from .estimates import Estimate
from .features import Extractor, extractor
from .protocol import drawn, draws_of, prepared, samples_in_turn

__all__ = ["FeatureComparison"]

LEAST: Final = 20


class FeatureComparison(Metric):
    """Compares features of samples with features of data, and those of as many training examples in their place.

    ``names`` are those of the results, ``unit`` is their unit.

    :param features: a function from data to features, the folder of a run that gives them, or the values themselves.
    :param n: how many samples, and how many examples if there are as many; at least 20.
    """

    type: ClassVar[str]
    names: tuple[str, ...]
    unit: ClassVar[str] = ""

    def __init__(self, features: Path | Extractor | None = None, n: int = 2048) -> None:
        self.features, self.n = features, n

    @abstractmethod
    def compare(self, data: Tensor, other: Tensor, generator: torch.Generator) -> Mapping[str, Estimate]:
        """Return values by name: features of data (n, D) compared with other features (m, D)."""

    def protocol(self) -> Mapping[str, Any]:
        """Return what the stamp says besides the features, the counts and the seed."""
        return {}

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return each value with the name of the features, followed by that of training data.

        :raises DataError: if there are fewer than 20 examples.
        :raises RunError: if the run gives no features of such data.
        """
        used, training = drawn(split, self.n, seed), drawn(train, min(self.n, len(split)), seed)
        for part in (used, training):
            if len(part) < LEAST:
                raise DataError(f"a distance of features needs {LEAST} examples, the split {part.name!r} has {len(part)}")
        features = self._extractor(model)
        prepared_data = prepared(used, seed, model.device)
        data = features.extract(prepared_data.x)
        samples = features.extract(samples_in_turn(model, len(used), prepared_data, seed))
        known = features.extract(prepared(training, seed, model.device).x)
        counts = {"data": len(data), "samples": len(samples), "features": features.stamped}
        protocol = stamp(self.type, split, seed, **counts, **self.protocol())
        results = []
        sides = [("", samples, "samples"), ("_of_data", known, "training data")]
        compared = [(end, what, other, self._compared(data, other, model, seed)) for end, other, what in sides]
        for name in self.names:
            for end, what, other, found in compared:
                one = found[name]
                counted = f"{len(data)} data, {len(other)} {what}, {data.shape[1]} features"
                note = "; ".join(filter(None, [counted, one.note, not_finite(data, "data"), not_finite(other, what)]))
                full = f"{name}{end}({features.name})"
                results.append(MetricResult(full, one.value, self.unit, protocol, one.standard_error, note))
        return results

    def _extractor(self, model: Model) -> Extractor:
        if isinstance(self.features, Extractor):
            return self.features
        return extractor(self.features, model.composition.data, model.device)

    def _compared(self, data: Tensor, other: Tensor, model: Model, seed: int) -> Mapping[str, Estimate]:
        if not bool(data.isfinite().all() & other.isfinite().all()):
            return dict.fromkeys(self.names, Estimate(math.nan))
        return self.compare(data, other, draws_of(model, seed))
