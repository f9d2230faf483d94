"""How often models of labels give the right class."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from genframe import Metric, MetricResult, Model, Split, average, blocks, evaluating, stamp

from .classifier import class_log_probs
from .protocol import drawn
from .specs import Accuracy

__all__ = ["AccuracyMetric"]


class AccuracyMetric(Metric):
    """The share of data whose most probable class is their own."""

    def __init__(self, spec: Accuracy) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``accuracy``."""
        used = drawn(split, self.spec.limit, seed)
        right = []
        with evaluating(model):
            for batch in blocks(used, seed, model.device):
                predicted = class_log_probs(model, cast(Tensor, batch.condition)).argmax(1)
                right.append(predicted == batch.x.reshape(-1))
        return [average("accuracy", torch.cat(right), "of data", stamp(self.spec, split, seed, data=len(used)))]
