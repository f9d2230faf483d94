"""A model of labels under data as a classifier of what other models make: its verdicts and its features."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from .errors import Unsupported
from .model import Model, evaluating
from .spaces import Categorical, Real, Space
from .traits import Density, Identity

__all__ = ["Classifier"]

ROWS = 500


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
        if reads != space and not (isinstance(reads, Real) and isinstance(space, Real) and _like(reads, space)):
            raise Unsupported(f"the classifier reads {reads}, found {space}; train it on data that are prepared as these are")
        self.model, self.space, self.reads, self.classes = model, space, reads, classes

    def log_probs(self, x: Tensor) -> Tensor:
        """Return the log-probability of each class, in nats: (N, data) -> (N, classes)."""
        prior, classes = cast(Density, self.model.prior), torch.arange(self.classes.size, device=x.device)
        with evaluating(self.model):
            done = []
            for rows in x.split(ROWS):
                context = self.model.context(self._read(rows))
                each = [prior.log_prob(one.expand(len(rows), *self.classes.shape), context) for one in classes]
                done.append(torch.stack(each, 1))
            return torch.cat(done)

    def verdicts(self, x: Tensor) -> Tensor:
        """Return the most probable class of each datum: (N, data) -> (N,)."""
        return self.log_probs(x).argmax(1)

    def features(self, x: Tensor) -> Tensor:
        """Return the features by which the classifier judges, in double precision: (N, data) -> (N, D)."""
        with evaluating(self.model):
            contexts = [cast(Tensor, self.model.context(self._read(rows))).flatten(1) for rows in x.split(ROWS)]
        return torch.cat(contexts).double()

    def _read(self, x: Tensor) -> Tensor:
        """Return data with the bounds and levels that the classifier was trained on."""
        reads, space = self.reads, self.space
        if reads == space or not (isinstance(reads, Real) and isinstance(space, Real)):
            return x
        if space.low is None or space.high is None or reads.low is None or reads.high is None:
            return x
        unit = (x - space.low) / (space.high - space.low)
        if space.dequantised and not reads.dequantised and space.levels is not None:
            unit = (unit * space.levels).floor().clamp(0, space.levels - 1) / (space.levels - 1)
        return reads.low + (reads.high - reads.low) * unit


def _like(one: Real, other: Real) -> bool:
    """Return whether data are the same but for their bounds, or for noise within their levels."""
    return (one.shape, one.levels, one.bounded) == (other.shape, other.levels, other.bounded)
