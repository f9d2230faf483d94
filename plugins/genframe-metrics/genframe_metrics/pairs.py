"""What every metric over features compares: features of data, of samples, and of as many training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

from genframe import DataError, Model, Split
from genframe.measuring import not_finite, stamp

from .features import extractor
from .protocol import drawn, prepared, samples_in_turn
from .specs import FeatureMetric

__all__ = ["FeaturePairs", "feature_pairs"]

LEAST: Final = 20


@dataclass(frozen=True)
class FeaturePairs:
    """Features (n, D) of data and of samples, and (m, D) of at most as many training data; ``stamp`` of what is compared."""

    extractor: str
    data: Tensor
    samples: Tensor
    train: Tensor
    stamp: dict[str, Any]

    def named(self, figure: str) -> str:
        """Return the name of a figure of these features."""
        return f"{figure}({self.extractor})"

    def note(self, other: Tensor) -> str:
        """Return how many are compared, and how many of them are not finite."""
        what = "samples" if other is self.samples else "training data"
        counted = f"{len(self.data)} data, {len(other)} {what}, {self.data.shape[1]} features"
        bad = [not_finite(self.data, "data"), not_finite(other, what)]
        return "; ".join([counted, *filter(None, bad)])


def feature_pairs(spec: FeatureMetric, model: Model, split: Split, train: Split, seed: int) -> FeaturePairs:
    """Return the features of ``spec.n`` data, or all there are, and of as many samples under their conditions.

    :raises DataError: if there are fewer than 20 data.
    :raises RunError: if the extractor cannot be used.
    """
    used, training = drawn(split, spec.n, seed), drawn(train, min(spec.n, len(split)), seed)
    for part in (used, training):
        if len(part) < LEAST:
            raise DataError(f"a distance of features needs {LEAST} data, the split {part.name!r} has {len(part)}")
    features = extractor(spec.features, model.composition.data, model.device)
    data = prepared(used, seed, model.device)
    samples = samples_in_turn(model, len(used), data, seed)
    return FeaturePairs(
        features.name,
        features.extract(data.x),
        features.extract(samples),
        features.extract(prepared(training, seed, model.device).x),
        stamp(spec, split, seed, data=len(used), samples=len(samples), features=dict(features.stamp)),
    )
