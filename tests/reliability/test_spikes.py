"""A loss that jumps is told in one line, or ends or rewinds training, and a resumed run notices the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import Field

from genframe import (
    Batch,
    CheckpointError,
    Dataset,
    DatasetSpec,
    Encoder,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    Real,
    Space,
    Spaces,
    SpikeError,
    Split,
)
from genframe.experiment.document.spec import ExperimentSpec
from genframe.experiment.run import checkpoint as storage
from genframe.experiment.run.resume import resume
from genframe.experiment.run.stored_state import checked
from genframe.experiment.run.training import train
from genframe.training.reporter import Silent
from genframe.training.signals import Interrupted
from tests.reliability.test_resume import StopAt

SPACE = Real((4,))
AT = 103
STEPS = 140
SAID = "step 101: loss jumped to "


class JumpingLoss(LossSpec):
    """Squared error that is a thousand times as large in training steps ``at`` to ``at + times - 1``."""

    type: Literal["test/jumping"] = "test/jumping"

    at: int = Field(default=AT, description="the first step of the jump")
    times: int = Field(default=10, description="its steps")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return Jumping(self)


class Jumping(Loss):
    """Counts training steps, in a buffer if they are to be counted again after going back to a checkpoint."""

    calls: torch.Tensor

    def __init__(self, spec: JumpingLoss) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("calls", torch.zeros((), dtype=torch.long), persistent=spec.times > 100)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the error."""
        self.calls += self.training and torch.is_grad_enabled()
        total = (model.reconstruct(batch.x) - batch.x).square().mean()
        jumps = self.spec.at <= int(self.calls) < self.spec.at + self.spec.times
        return LossOutput(total * 1000 if jumps else total)


class Noise(DatasetSpec):
    """Standard normal vectors."""

    type: Literal["test/noise"] = "test/noise"

    def data_space(self) -> Space:
        """Return vectors."""
        return SPACE

    def load(self) -> Dataset:
        """Return the data."""
        return Dataset(SPACE, {"train": Split("train", torch.randn(640, 4, generator=torch.Generator().manual_seed(0)))})


class Heard(Silent):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        """Keep the line, unless it is about this test's own classes."""
        if not text.startswith("no plugin has"):
            self.messages.append(text)


class HeardUntil(Heard, StopAt):
    """Keeps the messages, and sends a signal at a step."""

    def __init__(self, step: int) -> None:
        Heard.__init__(self)
        StopAt.__init__(self, step)


def spec(jump: JumpingLoss, **fields: Any) -> ExperimentSpec:
    """Return an experiment whose loss jumps."""
    model = {"encoder": {"type": "nets/mlp", "hidden": [3], "dim": 2}, "decoder": {"type": "nets/mlp", "hidden": [3]}}
    often = {"log_every": 20, "checkpoint_every": 10, "keep": 20}
    train = {"steps": STEPS, "batch_size": 32, "lr": 1e-4, "threads": 1, "device": "cpu", **often, **fields}
    return ExperimentSpec.model_validate({"name": "jump", "data": Noise(), "model": {**model, "loss": jump}, "train": train})


def steps_saved(folder: Path) -> list[int]:
    """Return the steps of the run's checkpoints."""
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").iterdir())


def test_a_spike_is_told_in_one_line(tmp_path: Path) -> None:
    """By default the run ends as it would have, and one line says where, from what to what, and what would help."""
    heard = Heard()
    warned = train(spec(JumpingLoss()), folder=tmp_path / "run", reporter=heard)
    [line] = heard.messages
    assert line.startswith(SAID)
    assert "its median over the 20 steps before" in line
    assert "lower train.lr" in line
    assert warned.step == STEPS
    assert warned.model.weights_digest() == train(spec(JumpingLoss(), log_every=STEPS)).model.weights_digest()


def test_without_a_spike_nothing_is_said() -> None:
    """The control."""
    heard = Heard()
    train(spec(JumpingLoss(at=10**6)), reporter=heard)
    assert heard.messages == []


def test_stop_ends_before_anything_is_saved_from_the_spike(tmp_path: Path) -> None:
    """One line, the exit code of NaN, and the checkpoints up to the line of the log that showed it."""
    with pytest.raises(SpikeError) as caught:
        train(spec(JumpingLoss(), on_spike="stop"), folder=tmp_path / "run")
    assert str(caught.value).startswith(SAID)
    assert (caught.value.exit_code, caught.value.first) == (8, 99)
    assert steps_saved(tmp_path / "run") == [*range(10, 111, 10)]  # 120 is where it was noticed


def test_rollback_returns_to_before_the_spike(tmp_path: Path) -> None:
    """Not to the checkpoint that was made in it, which is removed; then at half the learning rate to the end."""
    heard, folder = Heard(), tmp_path / "run"
    removed = storage.discard_from
    seen: list[list[int]] = []

    def watched(place: Path, step: int) -> None:
        removed(place, step)
        seen.append(steps_saved(folder))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "discard_from", watched)
        trained = train(spec(JumpingLoss(), on_spike="rollback"), folder=folder, reporter=heard)
    [line] = heard.messages
    assert line.startswith(SAID)
    assert line.endswith("; back to step 90 at half the learning rate")
    assert seen == [[*range(10, 91, 10)]]
    rates = {int(row["step"]): row["lr"] for row in trained.metrics}
    assert sorted(rates) == [*range(20, STEPS + 1, 20)]
    assert (rates[80], rates[100], trained.step) == (1e-4, 5e-5, STEPS)
    assert steps_saved(folder) == [*range(10, STEPS + 1, 10)]


def test_rollback_is_not_tried_for_ever(tmp_path: Path) -> None:
    """A jump that comes back each time ends in the error; so does one without a checkpoint before it."""
    heard = Heard()
    with pytest.raises(SpikeError):
        train(spec(JumpingLoss(times=1000), on_spike="rollback"), folder=tmp_path / "run", reporter=heard)
    assert len(heard.messages) == 3
    for folder in (None, tmp_path / "late"):
        with pytest.raises(SpikeError):
            train(spec(JumpingLoss(), on_spike="rollback", checkpoint_every=110), folder=folder)
    assert steps_saved(tmp_path / "late") == [110]


@pytest.mark.parametrize("stopped", [37, 99, 102, 104, 111])
def test_a_resumed_run_notices_the_same(stopped: int, tmp_path: Path) -> None:
    """Before the spike, in the middle of a block, and in the spike: the line and the log are those of a run in one go."""
    whole, parts = Heard(), HeardUntil(stopped)
    jump = JumpingLoss(times=1000)
    expected = train(spec(jump), folder=tmp_path / "whole", reporter=whole)
    with pytest.raises(Interrupted):
        train(spec(jump), folder=tmp_path / "parts", reporter=parts)
    resumed = resume(tmp_path / "parts", reporter=parts, specs=[JumpingLoss, Noise])
    assert [line for line in parts.messages if "jumped" in line] == whole.messages != []
    assert resumed.model.weights_digest() == expected.model.weights_digest()
    losses = [[(row["step"], row["loss"]) for row in run.metrics] for run in (resumed, expected)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("track", "named"),
    [
        ({"blocks": ["1"], "block": [], "first": 0}, "losses.loss.blocks.0"),
        ({"blocks": [1.0] * 21, "block": [], "first": 0}, "losses.loss.blocks"),
        ({"blocks": [], "block": []}, "losses.loss.first"),
        ({"blocks": [], "block": [], "first": 0, "more": 1}, "losses.loss.more"),
    ],
)
def test_a_hostile_history_is_refused(track: dict[str, Any], named: str, tmp_path: Path) -> None:
    """Its types and lengths are checked like everything in state.json."""
    train(spec(JumpingLoss(), steps=20), folder=tmp_path / "run")
    found = storage.latest(tmp_path / "run" / "checkpoints")
    assert found is not None
    saved = storage.read(found.path)
    assert checked(saved).losses["loss"].block == []
    saved.state["losses"] = {"loss": track}
    with pytest.raises(CheckpointError, match=named.replace(".", r"\.")):
        checked(saved)
