"""How often models of labels give the right class."""

from __future__ import annotations

from typing import ClassVar

import torch

from genframe import Metric, MetricResult, Model, Split, average, blocks, evaluating, stamp

from .classifier import class_log_probs
from .protocol import drawn

__all__ = ["AccuracyMetric"]


class AccuracyMetric(Metric):
    """The share of examples whose most probable class is their own, for a model of labels that is conditional on data.

    :param limit: use only this many examples, drawn by the seed; all unless given.

    >>> metric = AccuracyMetric(limit=500)  # metric.measure(classifier, test, train=train) measures
    >>> metric.limit
    500
    """

    type: ClassVar[str] = "metrics/accuracy"

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``accuracy``.

        :raises Mismatch: if the data of the model is not classes.
        """
        used = drawn(split, self.limit, seed)
        right = []
        with evaluating(model):
            for batch in blocks(used, seed, model.device):
                predicted = class_log_probs(model, batch.condition).argmax(1)
                right.append(predicted == batch.x.reshape(-1))
        return [average("accuracy", torch.cat(right), "of data", stamp(self.type, split, seed, data=len(used)))]
