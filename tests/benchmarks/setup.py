"""What both sides of a benchmark share: data, and genframe's trainer without a run folder."""

from __future__ import annotations

import time
from typing import Any

import torch

from genframe import Dataset, Model, ModelSpec, Real, Space, Split, compose
from genframe.experiment.reporting import Silent
from genframe.experiment.signals import StopRequest
from genframe.experiment.spec import TrainSpec
from genframe.experiment.trainer import Trainer

__all__ = ["Silence", "dataset", "framework_seconds", "model"]


class Silence:
    """Keeps nothing of what training observes."""

    def log(self, row: dict[str, float]) -> None:
        """Keep nothing."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Keep nothing."""

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


def dataset(space: Space, stored: torch.Tensor, prepare: Any = None) -> Dataset:
    """Return tensors as a data set."""
    split = Split("train", stored) if prepare is None else Split("train", stored, prepare=prepare)
    return Dataset(space, {"train": split})


def model(spec: dict[str, Any], space: Real) -> Model:
    """Compose a model from plain data."""
    return compose(ModelSpec.model_validate(spec), space)


def framework_seconds(spec: TrainSpec, composed: Model, data: Dataset) -> float:
    """Train by genframe from where the model is and return the seconds of a step."""
    trainer = Trainer(spec, composed, data, Silence(), Silent(), StopRequest())
    start = time.perf_counter()
    trainer.run()
    return (time.perf_counter() - start) / spec.steps
