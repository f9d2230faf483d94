"""Counting the modes of stacked images by a classifier of their channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import torch
from torch import Tensor

from genframe import Categorical, GenframeError, Metric, MetricResult, Model, Real, Run, RunError, Split, evaluating, stamp
from genframe.data import into
from genframe.measurement import not_finite

from .classifier import class_log_probs
from .coverage import divergence_from_equal
from .features import applied, reader
from .protocol import drawn, prepared, samples_in_turn
from .specs import StackedModes
from .specs.classifiers import why_no_classifier

__all__ = ["StackedModesMetric", "channel_classifier", "modes_of", "unusable"]

MOST_MODES: Final = 10**6


def unusable(run: Path, data: Real) -> str:
    """Return why the run does not classify the channels of ``data``, or an empty string."""
    try:
        channel_classifier(run, data, torch.device("cpu"))
    except GenframeError as error:
        return str(error)
    return ""


def channel_classifier(run: Path, data: Real, device: torch.device) -> Run:
    """Return the run that classifies a channel of ``data``.

    :raises RunError: if it is missing, or does not.
    :raises CheckpointError: if it has no valid checkpoint.
    """
    found = reader(run, replace(data, shape=(1, *data.shape[1:])), device)
    composition = found.model.composition
    reason = why_no_classifier(composition)
    if reason:
        raise RunError(f"{run} is no classifier: {reason}")
    if _count(found.model, data) > MOST_MODES:
        raise RunError(f"{data.shape[0]} channels of {composition.data} have more than {MOST_MODES:,} modes, too many to count")
    return found


def _count(classifier: Model, data: Real) -> int:
    return int(cast(Categorical, classifier.composition.data).size ** data.shape[0])


def modes_of(classifier: Model, x: Tensor, space: Real) -> Tensor:
    """Return the mode of each stack: the classes of its channels as digits of a number, (N, channels, ...) -> (N,)."""
    composition, channel = classifier.composition, replace(space, shape=(1, *space.shape[1:]))
    modes = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    with evaluating(classifier):
        for one in x.split(1, 1):
            values = into(cast(Real, composition.condition), one, channel)
            classes = applied(lambda rows: class_log_probs(classifier, rows).argmax(1), values)
            modes = modes * cast(Categorical, composition.data).size + classes
    return modes


class StackedModesMetric(Metric):
    """The modes of stacked images that samples reach, and how evenly."""

    def __init__(self, spec: StackedModes) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``modes`` and ``reverse_kl``, each with that of data after it.

        A conditional model draws under the data's conditions in turn.

        :raises RunError: if the classifier cannot be used.
        """
        spec, space = self.spec, cast(Real, model.composition.data)
        classifier = channel_classifier(spec.classifier, space, model.device)
        used = drawn(split, spec.n, seed)
        data = prepared(used, seed, model.device)
        samples = samples_in_turn(model, spec.n, data, seed)
        by = {"name": classifier.experiment.name, "weights": classifier.model.weights_digest()}
        protocol = stamp(spec, split, seed, data=len(used), samples=spec.n, classifier=by)
        count = _count(classifier.model, space)
        results: dict[str, list[MetricResult]] = {"modes": [], "reverse_kl": []}
        for end, x, note in (("", samples, not_finite(samples, "samples")), ("_of_data", data.x, f"{len(used)} data")):
            shares = torch.bincount(modes_of(classifier.model, x, space), minlength=count).double() / len(x)
            found = float((shares > 0).sum())
            results["modes"].append(MetricResult(f"modes{end}", found, f"of {count}", protocol, note=note))
            divergence = divergence_from_equal(shares)
            results["reverse_kl"].append(MetricResult(f"reverse_kl{end}", divergence, "nats", protocol, note=note))
        return results["modes"] + results["reverse_kl"]
