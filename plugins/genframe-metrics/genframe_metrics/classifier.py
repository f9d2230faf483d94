"""A model of labels that is conditional on data, as a classifier of what other models make."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from genframe import Categorical, Model, Space, Unsupported, evaluating
from genframe.roles import into
from genframe.types import Density, Identity, alike, require_categorical

__all__ = ["Classifier", "class_log_probs"]

ROWS: Final = 500


def class_log_probs(model: Model, condition: Tensor) -> Tensor:
    """Return the log-probability of each class of a model of labels, in nats: (B, ...) -> (B, size).

    Each condition is encoded once. The model's encoder must be the identity.

    :raises Mismatch: if the data of the model is not classes.
    :raises Unsupported: if its prior has no density.
    """
    space, prior = require_categorical(model.composition.data, "a classifier"), model.prior
    if not isinstance(prior, Density):
        raise Unsupported("the probabilities of classes are read from the prior, which needs Density")
    context = model.context(condition)
    classes = torch.arange(space.size, device=condition.device).reshape(-1, *space.shape)
    return torch.stack([prior.log_prob(one.expand(len(condition), *space.shape), context) for one in classes], 1)


class Classifier:
    """The classes and the features that a classifier, such as ``digits-classifier`` trains, gives data of ``space``.

    The data may have other bounds than the training data of the classifier. It may be dequantised where the training data
    was not.

    >>> spec = {"encoder": "core/identity", "decoder": "core/identity", "loss": "core/nll"}
    >>> condition = {"type": "nets/mlp", "hidden": [8]}
    >>> spec = ModelSpec.model_validate({**spec, "prior": "core/categorical", "condition": condition})
    >>> image = Real((1, 8, 8), 0, 1, 17)
    >>> classifier = Classifier(compose(spec, Categorical((), 10), image), image)
    >>> classifier.log_probs(torch.rand(3, 1, 8, 8)).shape
    torch.Size([3, 10])

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
            contexts = [self.model.context(self._read(rows)) for rows in x.split(ROWS)]
        return torch.cat([context.tensors[0].flatten(1) for context in contexts if context is not None]).double()

    def _read(self, x: Tensor) -> Tensor:
        return into(self.reads, x, self.space)
