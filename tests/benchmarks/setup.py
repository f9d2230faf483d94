"""What both sides of a benchmark share: data, and genframe's trainer without a run folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from genframe import Dataset, Model, ModelSpec, Real, Space, Split, compose
from genframe.training.reporter import Silent
from genframe.training.settings import TrainSpec
from genframe.training.trainer import Trainer

__all__ = ["Framework", "Silence", "dataset", "model", "peak_memory"]


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


class Framework:
    """A training by genframe that goes on and on."""

    def __init__(self, spec: TrainSpec, composed: Model, data: Dataset) -> None:
        endless = spec.model_copy(update={"steps": 10**9})
        self._steps = spec.steps
        self._trainer = Trainer(composed, data, settings=endless, observer=Silence(), reporter=Silent())

    def advance(self, steps: int) -> None:
        """Make some steps."""
        self._trainer.advance(steps)

    def seconds(self) -> float:
        """Make the spec's number of steps and return the seconds of one."""
        start = time.perf_counter()
        self.advance(self._steps)
        return (time.perf_counter() - start) / self._steps


def peak_memory() -> float:
    """Return the peak of this process's resident memory in MiB.

    Linux's own high-water mark of the process; the one that getrusage gives begins with that of the process's parent.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(status["VmHWM"].removesuffix("kB")) / 1024
