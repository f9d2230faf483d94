"""Runs that are interrupted: to test that parts with a state of their own go on bit for bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..experiment.run import checkpoint as storage
from ..experiment.run.resume import resume
from ..experiment.run.training import train
from ..training.reporter import Silent
from ..training.signals import Interrupted

__all__ = ["checkpoint_tensors", "train_interrupted"]


class StopAt(Silent):
    """Sends this process SIGTERM at a step, as somebody outside would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def advance(self, step: int) -> None:
        """Stop after the step."""
        if step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def train_interrupted(experiment: Mapping[str, Any], folder: Path, stops: Sequence[int]) -> None:
    """Train into ``folder``, interrupted after each of the steps ``stops``, and resumed in between; not to the end.

    :raises AssertionError: if an interruption does not end the training, which then has no such step.
    """
    for number, stop in enumerate(stops):
        try:
            if number == 0:
                train(experiment, folder=folder, reporter=StopAt(stop))
            else:
                resume(folder, reporter=StopAt(stop))
        except Interrupted:
            continue
        raise AssertionError(f"the training was not interrupted at step {stop}")


def checkpoint_tensors(folder: Path) -> dict[str, Tensor]:
    """Return every tensor of the newest checkpoint of the run in ``folder``.

    :raises AssertionError: if it has none.
    """
    found = storage.latest(folder / "checkpoints")
    if found is None:
        raise AssertionError(f"{folder} has no checkpoint")
    return storage.read(found.path).tensors
