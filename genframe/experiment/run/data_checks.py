"""What an experiment asks of the number of examples: checked once the dataset is read, before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ...model.model import Model
from ...roles.data import Dataset
from ...specs.composition import Composition
from ...training.settings import TrainSpec
from ...types.errors import DataError, Problem, SpecError
from ..document.spec import EvaluateSpec

__all__ = ["check_batches", "check_splits"]


def check_batches(spec: TrainSpec, model: Model, data: Dataset) -> None:
    """Check that there are enough examples for a batch, and enough in it for batch normalisation.

    :raises SpecError: otherwise.
    """
    there, size = len(data.split("train")), spec.batch_size
    if size > there:
        raise SpecError(
            Problem("train.batch_size", f"is {size}, and there are {there} training examples", f"make it at most {there}")
        )
    if size == 1 and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        message = "is 1, and batch normalisation needs several examples"
        raise SpecError(Problem("train.batch_size", message, "make it at least 2, or use train.accumulate beside a larger one"))


def check_splits(spec: EvaluateSpec, composition: Composition, data: Dataset) -> None:
    """Check before training that its metrics will have enough examples.

    :raises DataError: naming every metric that has not, or the split that is missing.
    """
    if spec.metrics:
        problems = list(_too_few(spec, composition, len(data.split(spec.split)), len(data.split("train"))))
        if problems:
            raise DataError("\n".join(map(str, problems)))


def _too_few(spec: EvaluateSpec, composition: Composition, held_out: int, training: int) -> Iterator[Problem]:
    for number, metric in enumerate(spec.metrics):
        for split, there, least in ((spec.split, held_out, metric.least_held_out), ("train", training, metric.least_training)):
            if there < least and not metric.refusal(composition):
                message = f"{metric.type} needs {least} examples of the split {split!r}, which has {there}"
                yield Problem(f"evaluate.metrics.{number}", message, "give it more examples, or leave the metric out")
