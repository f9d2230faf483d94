"""How long a step of training takes on this machine: measured, not guessed."""

from __future__ import annotations

import time

import torch

from ...model.model import build
from ...roles.random import fork_rng
from ...specs.composition import Composition
from ...training.environment import pick_device, threads
from ...training.trainer import Trainer
from ..document.spec import ExperimentSpec
from .recorded import load_data

__all__ = ["seconds_per_step"]

STEPS = 3


def seconds_per_step(spec: ExperimentSpec, composition: Composition) -> float | None:
    """Return the median time of three steps of the first stage, after one that warms up; ``None`` where it only fits a prior.

    The dataset is read and the model is built; nothing is kept.

    :raises DataError: if the dataset cannot be read.
    """
    model, data = build(composition, seed=spec.train.seed), load_data(spec.data)
    with threads(spec.train.threads or torch.get_num_threads()), fork_rng(pick_device(spec.train.device), spec.train.seed):
        trainer = Trainer(model, data, settings=spec.train)
        if not trainer.stage.steps:
            return None
        times = []
        for _ in range(STEPS + 1):
            started = time.perf_counter()
            trainer.advance(1)
            times.append(time.perf_counter() - started)
        return sorted(times[1:])[STEPS // 2]
