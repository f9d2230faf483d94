"""R6: each piece of the saved state is needed. Whatever is dropped or altered shows in the steps that follow."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor

from genframe import (
    Batch,
    CheckpointError,
    Dataset,
    Encoder,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    ModelSpec,
    Real,
    Spaces,
    Split,
    compose,
)
from genframe.training.reporter import Silent
from genframe.training.settings import TrainSpec
from genframe.training.trainer import Trainer

SPACE = Real((6,))
BEFORE, AFTER = 7, 6


class NoisyLoss(LossSpec):
    """Reconstruction with noise from every generator that a third party's part may use."""

    type: Literal["test/noisy"] = "test/noisy"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return Noisy()


class Noisy(Loss):
    """Weights the error by draws from torch, Python and numpy."""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted error."""
        noise = torch.rand(()) + random.random() + np.random.random()
        total = (model.reconstruct(batch.x) - batch.x).square().mean() * noise
        return LossOutput(total, {"error": total.detach()})


class Nothing:
    """Keeps only what is logged."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, float]] = []

    def log(self, row: Mapping[str, float]) -> None:
        """Keep the row, without its time."""
        self.rows.append({key: value for key, value in row.items() if key != "seconds"})

    def checkpoint(self, trainer: Trainer) -> None:
        """Save nothing."""

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


def trainer() -> tuple[Trainer, Nothing]:
    """Return a trainer that logs every three steps, with moments, averages, schedule and noise."""
    network = {"type": "nets/mlp", "hidden": [5]}
    spec = ModelSpec(encoder={**network, "dim": 2}, decoder=network, loss=NoisyLoss())  # type: ignore[arg-type]
    split = Split("train", torch.randn(40, 6, generator=torch.Generator().manual_seed(1)))
    settings = TrainSpec(
        steps=BEFORE + AFTER, batch_size=8, schedule="linear", warmup=2, clip=1.0, ema=0.8, log_every=3, threads=1, device="cpu"
    )
    observer = Nothing()
    made = Trainer(
        compose(spec, SPACE), Dataset(SPACE, {"train": split}), settings=settings, observer=observer, reporter=Silent()
    )
    return made, observer


Ending: TypeAlias = tuple[dict[str, bytes], Any, list[Mapping[str, float]]]


def ending(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Ending:
    """Go on from a saved state in a fresh trainer and return where it ends."""
    made, observer = trainer()
    made.restore(tensors, state)
    made.advance(AFTER)
    return bits(made), made.state()["losses"], observer.rows


def bits(made: Trainer) -> dict[str, bytes]:
    """Return the bits of everything that a checkpoint would hold."""
    return {name: tensor.detach().contiguous().numpy().tobytes() for name, tensor in made.tensors().items()}


@pytest.fixture(scope="module")
def middle() -> tuple[Trainer, Nothing, dict[str, Tensor], dict[str, Any]]:
    """A trainer in the middle of its training, and the state it would save there."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    made, observer = trainer()
    made.advance(BEFORE)
    return made, observer, {name: tensor.detach().clone() for name, tensor in made.tensors().items()}, made.state()


@pytest.fixture(scope="module")
def saved(middle: tuple[Trainer, Nothing, dict[str, Tensor], dict[str, Any]]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state in the middle of a training."""
    return middle[2], middle[3]


@pytest.fixture(scope="module")
def expected(middle: tuple[Trainer, Nothing, dict[str, Tensor], dict[str, Any]]) -> Any:
    """Where the same trainer ends when nothing interrupts it, and what it logs on the way."""
    made, observer, _, _ = middle
    logged = len(observer.rows)
    made.advance(AFTER)
    return bits(made), made.state()["losses"], observer.rows[logged:]


def test_whole_state_goes_on_as_if_nothing_had_happened(saved: tuple[dict[str, Tensor], dict[str, Any]], expected: Any) -> None:
    """The control: nothing dropped, nothing different from the uninterrupted training."""
    assert ending(*saved) == expected


def mutants(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Any]]]:
    """Yield the state with each tensor dropped, each tensor altered, each entry dropped and each entry altered."""
    for name, tensor in tensors.items():
        yield f"{name} dropped", {key: value for key, value in tensors.items() if key != name}, dict(state)
        altered = tensor.flip(0) if tensor.ndim and tensor.dtype == torch.uint8 else tensor + 1
        yield f"{name} altered", {**tensors, name: altered}, dict(state)
    for name, value in state.items():
        yield f"{name} dropped", dict(tensors), {key: entry for key, entry in state.items() if key != name}
        if name in ALTERED:
            yield f"{name} altered", dict(tensors), {**state, name: ALTERED[name](value)}


ALTERED: dict[str, Any] = {
    "step": lambda value: value + 1,
    "stage_step": lambda value: value + 1,
    "epoch": lambda value: value + 1,
    "position": lambda value: value - 1,
    "lr_scale": lambda value: value / 2,
    "ema_updates": lambda value: value + 3,
    "pending": lambda value: value[:-1],
    "losses": lambda value: {name: {**track, "blocks": track["blocks"][:-1]} for name, track in value.items()},
    "python_rng": lambda value: [value[0], [*value[1][:-1], 0], value[2]],
    "numpy_rng": lambda value: [value[0], value[1], 0, *value[3:]],
}


def test_every_mutant_of_the_state_shows(saved: tuple[dict[str, Tensor], dict[str, Any]], expected: Any) -> None:
    """Dropping or altering any tensor or entry ends in an error or in another result, never in silence."""
    unnoticed = []
    count = 0
    for name, tensors, state in mutants(*saved):
        count += 1
        try:
            if ending(tensors, state) == expected:
                unnoticed.append(name)
        except CheckpointError:
            continue
    assert count > 60
    assert unnoticed == []
