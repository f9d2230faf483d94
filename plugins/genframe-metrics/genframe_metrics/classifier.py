"""A model of labels, conditional on data, as a classifier of what other models make: its verdicts and its features."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor

from genframe import Categorical, Context, Model, Space, Unsupported, evaluating
from genframe.data import into
from genframe.spaces import alike
from genframe.traits import Density, Identity

__all__ = ["Classifier", "class_log_probs"]

ROWS: Final = 500


def class_log_probs(model: Model, condition: Tensor) -> Tensor:
    """Return the log-probability of each class of a model of labels, in nats: (B, ...) -> (B, size).

    Conditions are encoded once; the model's encoder is the identity.
    """
    space, context = cast(Categorical, model.composition.data), model.context(condition)
    classes = torch.arange(space.size, device=condition.device).reshape(-1, *space.shape)
    prior = cast(Density, model.prior)
    return torch.stack([prior.log_prob(one.expand(len(condition), *space.shape), context) for one in classes], 1)


class Classifier:
    """The verdicts of a classifier, such as one trained by ``digits-classifier``, on data of ``space``.

    The data may have other bounds than its training data, and may be dequantised where its training data were not.

    :raises Unsupported: if the model is not a classifier, or does not read such data.
    """

    def __init__(self, model: Model, space: Space) -> None:
        composition = model.composition
        reads, classes = composition.condition, composition.data
        classifies = composition.has("encoder", Identity) and composition.has("prior", Density)
        if not isinstance(classes, Categorical) or classes.dims != 1 or reads is None or not classifies:
            raise Unsupported(
                "this is not a classifier: it must give each class of data/labels a probability, given the data; "
                "train one, such as digits-classifier"
            )
        if not alike(reads, space):
            raise Unsupported(f"the classifier reads {reads}, found {space}; train it on data prepared in the same way")
        self.model, self.space, self.reads, self.classes = model, space, reads, classes

    def log_probs(self, x: Tensor) -> Tensor:
        """Return the log-probability of each class, in nats: (N, data) -> (N, classes)."""
        with evaluating(self.model):
            return torch.cat([class_log_probs(self.model, self._read(rows)) for rows in x.split(ROWS)])

    def verdicts(self, x: Tensor) -> Tensor:
        """Return the most probable class of each example: (N, data) -> (N,)."""
        return self.log_probs(x).argmax(1)

    def features(self, x: Tensor) -> Tensor:
        """Return the features that the classifier computes, in double precision: (N, data) -> (N, D)."""
        with evaluating(self.model):
            contexts = [cast(Context, self.model.context(self._read(rows))) for rows in x.split(ROWS)]
        return torch.cat([context.tensors[0].flatten(1) for context in contexts]).double()

    def _read(self, x: Tensor) -> Tensor:
        return into(self.reads, x, self.space)
