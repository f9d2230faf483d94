"""Models of labels as classifiers, and how often they are right."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from genframe import Categorical, Metric, MetricResult, Model, Split, evaluating
from genframe.measuring import average, blocks, stamp
from genframe.traits import Density

from .protocol import drawn
from .specs import Accuracy

__all__ = ["AccuracyMetric", "class_log_probs"]


def class_log_probs(model: Model, condition: Tensor) -> Tensor:
    """Return the log-probability of each class under each condition, in nats: (B, ...) -> (B, size).

    Conditions are encoded once; the model's encoder is the identity.
    """
    space, context = cast(Categorical, model.composition.data), model.context(condition)
    classes = torch.arange(space.size, device=condition.device).reshape(-1, *space.shape)
    prior = cast(Density, model.prior)
    return torch.stack([prior.log_prob(one.expand(len(condition), *space.shape), context) for one in classes], 1)


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
