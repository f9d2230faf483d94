"""What a loss has to say while it is trained, beside its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from genframe import Batch, Encoder, Loss, LossOutput, LossSpec, Model, Spaces, train
from genframe.training.reporter import Silent


class Talkative(LossSpec):
    """The squared error, with a remark on each line of the log."""

    type: Literal["test/talkative"] = "test/talkative"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return TalkativeLoss()


class TalkativeLoss(Loss):
    """Says what it hears."""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the error."""
        error = (model.decode(model.encode(batch.x)) - batch.x).square().mean()
        return LossOutput(error, {"error": error.detach()})

    def remarks(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Repeat the error."""
        yield f"the error is {figures['error']}"


class Ear(Silent):
    """Keeps the log's lines and the remarks in their order."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the average of a line of the log, or that it was one of validation."""
        self.heard.append(f"line {values['error']}" if "error" in values else "validation")

    def message(self, text: str) -> None:
        """Keep the remark."""
        self.heard.append(text)


@pytest.mark.parametrize("terms", [0, 1, 2])
def test_losses_remark_on_each_line_of_the_log(tmp_path: Path, terms: int) -> None:
    """A loss, and each term of a sum, reads the averages of a line after it was reported; validation asks for no remark."""
    loss: Any = {"type": "core/sum", "terms": [Talkative()] * terms} if terms else Talkative()
    network = {"type": "nets/mlp", "hidden": [4]}
    model = {"encoder": {**network, "dim": 2}, "decoder": network, "loss": loss}
    settings = {"steps": 6, "batch_size": 8, "log_every": 3, "validate_every": 3, "threads": 1}
    ear = Ear()
    experiment = {"name": "talk", "data": {"type": "data/toy", "n": 60}, "model": model, "train": settings}
    run = train(experiment, folder=tmp_path / "run", reporter=ear)
    errors = [row["error"] for row in run.metrics if "error" in row]
    assert len(errors) == 2
    expected = [[f"line {error}", *[f"the error is {error}"] * max(1, terms), "validation"] for error in errors]
    heard = [text for text in ear.heard if not text.startswith("no plugin has test/talkative")]
    assert heard == [line for lines in expected for line in lines]
