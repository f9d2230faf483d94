"""Counting the modes of stacked images by a classifier of their channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

import torch
from torch import Tensor

from genframe import GenframeError, Metric, MetricResult, Model, Real, RunError, Split, stamp
from genframe.model import not_finite
from genframe.types import require_real

from .classifier import Classifier
from .features import reader
from .modes import divergence_from_equal
from .protocol import drawn, prepared, samples_in_turn
from .runs import why_no_classifier

__all__ = ["StackedModesMetric", "channel_classifier", "modes_of", "why_no_modes"]

MOST_MODES: Final = 10**6


def why_no_modes(run: Path, data: Real) -> str:
    """Return why the run does not classify the channels of ``data``, or an empty string."""
    try:
        channel_classifier(run, data, torch.device("cpu"))
    except GenframeError as error:
        return str(error)
    return ""


def channel_classifier(run: Path, data: Real, device: torch.device) -> tuple[str, Classifier]:
    """Return the name of a run, and its model as a classifier of a channel of ``data``.

    :raises RunError: if it is missing, or does not.
    :raises CheckpointError: if it has no valid checkpoint.
    """
    channel = replace(data, shape=(1, *data.shape[1:]))
    found = reader(run, channel, device)
    reason = why_no_classifier(found.model.composition)
    if reason:
        raise RunError(f"{run} is no classifier: {reason}")
    classifier = Classifier(found.model, channel)
    if _count(classifier, data) > MOST_MODES:
        raise RunError(
            f"{data.shape[0]} channels of {classifier.classes} have more than {MOST_MODES:,} modes, too many to count"
        )
    return found.experiment.name, classifier


def _count(classifier: Classifier, data: Real) -> int:
    return int(classifier.classes.size ** data.shape[0])


def modes_of(classifier: Classifier, x: Tensor) -> Tensor:
    """Return the mode of each stack: the classes of its channels as digits of a number, (N, channels, ...) -> (N,)."""
    modes = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for channel in x.split(1, 1):
        modes = modes * classifier.classes.size + classifier.verdicts(channel)
    return modes


class StackedModesMetric(Metric):
    """The modes of stacked images that samples reach, and how evenly. Lin et al. 2018, sec. 4.2.

    :param classifier: the folder of a run of a classifier of images of one channel.
    :param n: how many samples, and how many examples if there are as many.

    >>> metric = StackedModesMetric(Path("runs/mnist-classifier"), n=1000)  # metric.measure(model, test, train=train) measures
    >>> metric.n
    1000
    """

    type: ClassVar[str] = "metrics/stacked_modes"

    def __init__(self, classifier: Path, n: int = 26_000) -> None:
        self.classifier, self.n = classifier, n

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``modes`` and ``reverse_kl``, each followed by that of data.

        A conditional model draws under the conditions of the data in turn.

        :raises RunError: if the classifier cannot be used.
        """
        space = require_real(model.composition.data, self.type)
        name, classifier = channel_classifier(self.classifier, space, model.device)
        used = drawn(split, self.n, seed)
        data = prepared(used, seed, model.device)
        samples = samples_in_turn(model, self.n, data, seed)
        by = {"name": name, "weights": classifier.model.weights_digest()}
        protocol = stamp(self.type, split, seed, data=len(used), samples=self.n, classifier=by)
        count = _count(classifier, space)
        results: dict[str, list[MetricResult]] = {"modes": [], "reverse_kl": []}
        for end, x, note in (("", samples, not_finite(samples, "samples")), ("_of_data", data.x, f"{len(used)} data")):
            shares = torch.bincount(modes_of(classifier, x), minlength=count).double() / len(x)
            found = float((shares > 0).sum())
            results["modes"].append(MetricResult(f"modes{end}", found, f"of {count}", protocol, note=note))
            divergence = divergence_from_equal(shares)
            results["reverse_kl"].append(MetricResult(f"reverse_kl{end}", divergence, "nats", protocol, note=note))
        return results["modes"] + results["reverse_kl"]
