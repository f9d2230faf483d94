"""A model of labels under data as a classifier of what other models make: its verdicts and its features."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor

from .data import into
from .errors import Unsupported
from .model import Model, evaluating
from .spaces import Categorical, Space, alike
from .traits import Density, Identity
from .values import Context

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
    """The verdicts of a classifier, such as ``digits-classifier`` trains, on data of ``space``.

    Data may have other bounds than those it was trained on, and may be dequantised where those are on levels.

    :raises Unsupported: if the model is no classifier, or does not read such data.
    """

    def __init__(self, model: Model, space: Space) -> None:
        composition = model.composition
        reads, classes = composition.condition, composition.data
        classifies = composition.has("encoder", Identity) and composition.has("prior", Density)
        if not isinstance(classes, Categorical) or classes.dims != 1 or reads is None or not classifies:
            raise Unsupported(
                "this is no classifier: it has to give one label of data/labels a probability under the data as its condition; "
                "train one, such as digits-classifier"
            )
        if not alike(reads, space):
            raise Unsupported(f"the classifier reads {reads}, found {space}; train it on data that are prepared as these are")
        self.model, self.space, self.reads, self.classes = model, space, reads, classes

    def log_probs(self, x: Tensor) -> Tensor:
        """Return the log-probability of each class, in nats: (N, data) -> (N, classes)."""
        with evaluating(self.model):
            return torch.cat([class_log_probs(self.model, self._read(rows)) for rows in x.split(ROWS)])

    def verdicts(self, x: Tensor) -> Tensor:
        """Return the most probable class of each datum: (N, data) -> (N,)."""
        return self.log_probs(x).argmax(1)

    def features(self, x: Tensor) -> Tensor:
        """Return the features by which the classifier judges, in double precision: (N, data) -> (N, D)."""
        with evaluating(self.model):
            contexts = [cast(Context, self.model.context(self._read(rows))) for rows in x.split(ROWS)]
        return torch.cat([context.tensors[0].flatten(1) for context in contexts]).double()

    def _read(self, x: Tensor) -> Tensor:
        return into(self.reads, x, self.space)
