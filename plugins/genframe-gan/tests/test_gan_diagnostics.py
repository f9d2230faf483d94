"""What is reported while training: the gradient that reaches the generator, how far apart its fakes lie, and a collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from genframe import Batch, ModelSpec, Real, compose, train
from genframe.core import IdentityDecoder, IdentityEncoder, Normal
from genframe.training.reporter import Silent
from genframe_gan import Adversarial
from genframe_gan.diagnostics import COLLAPSE, PATIENCE, spread
from genframe_gan.losses import GameLoss
from genframe_nets import MLP, MLPDecoder


class Listener(Silent):
    """Keeps the lines that a person should read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)


def loss_of(**fields: Any) -> GameLoss:
    """Return the loss of a small model."""
    spec = ModelSpec(decoder=MLPDecoder(hidden=(8,)), prior=Normal(shape=(2,)), loss=Adversarial(critic=MLP(), **fields))
    loss = compose(spec, Real((2,))).loss
    assert isinstance(loss, GameLoss)
    return loss


@pytest.mark.parametrize("packing", [1, 2])
def test_gradient_that_reaches_the_generator(quadratic: Any, packing: int) -> None:
    """The Wasserstein generator's loss of a fake is -D(x), with gradient -(a x + b); a pack of m counts for each of the m."""
    loss = Adversarial(critic=quadratic, objective="wasserstein", fakes="reconstructions", packing=packing)
    model = compose(ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), loss=loss), Real((3,))).train()
    x = torch.randn(6, 3, requires_grad=True)
    output = model.loss(model, Batch(x), "generator")
    output.total.backward()
    critic = model.loss.critic.network  # type: ignore[union-attr]
    rows = (critic.a * x.reshape(-1, 3 * packing) + critic.b).reshape(6, 3) * packing  # type: ignore[operator, union-attr]
    torch.testing.assert_close(output.metrics["generator_gradient"], rows.norm(dim=1).mean().detach())


def test_the_gradient_that_vanishes() -> None:
    """Goodfellow et al. 2014, sec. 3: against a critic that is sure, minimax leaves the generator nothing to learn from."""
    found = {}
    for objective in ("minimax", "non_saturating"):
        torch.manual_seed(0)
        spec = ModelSpec(
            decoder=MLPDecoder(hidden=(8,)), prior=Normal(shape=(2,)), loss=Adversarial(critic=MLP(), objective=objective)
        )
        model = compose(spec, Real((2,))).train()
        with torch.no_grad():
            model.loss.critic.head.bias -= 12  # type: ignore[union-attr, operator]
        output = model.loss(model, Batch(torch.randn(32, 2)), "generator")
        output.total.backward()
        found[objective] = float(output.metrics["generator_gradient"])
    assert found["minimax"] < 1e-3 * found["non_saturating"]


def test_spread_is_a_ratio_of_distances() -> None:
    """Fakes that lie as data do, only three times as close together, have a spread of a third; equal fakes have none."""
    data = torch.randn(2000, 1, 4, 4)
    assert float(spread(data.roll(1, 0) / 3 + 5, data)) == pytest.approx(1 / 3, rel=0.02)
    assert float(spread(torch.ones(8, 2), torch.randn(8, 2))) == 0
    assert float(spread(torch.ones(8, 2), torch.ones(8, 2))) == 0
    wide, points = torch.randn(4001, 2), torch.rand(4001, 2)
    expected = torch.pdist(wide).mean() / torch.pdist(points).mean()
    assert float(spread(wide, points)) == pytest.approx(float(expected), rel=0.05)


@pytest.mark.parametrize(
    ("fields", "accuracy", "hint"),
    [
        ({}, 0.99, "the critic is right on 99%, so that the generator learns little from it: give it r1"),
        ({"r1": 1.0}, 1.0, "raise it, or lower train.players.critic.lr"),
        ({"packing": 2}, 0.6, "the critic does not see that fakes are alike: let it judge more at once, packing: 4"),
    ],
)
def test_collapse_is_said_once_with_what_to_change(fields: Any, accuracy: float, hint: str) -> None:
    """After so many lines in a row below the mark there is one remark; a line above it ends the count."""
    loss = loss_of(**fields)
    low, fine = {"spread": COLLAPSE / 2, "critic_accuracy": accuracy}, {"spread": 0.9, "critic_accuracy": accuracy}
    said = [list(loss.remarks(row)) for row in [low] * (PATIENCE - 1) + [fine] + [low] * (2 * PATIENCE)]
    assert [number for number, lines in enumerate(said) if lines] == [2 * PATIENCE - 1]
    (line,) = said[2 * PATIENCE - 1]
    assert line.startswith("gan/adversarial: for 5 lines fakes lay 0.15 times as far apart as what is real; ")
    assert line.endswith(hint)


@pytest.mark.parametrize("nested", [False, True])
def test_training_passes_the_remark_on(tmp_path: Path, nested: bool) -> None:
    """A generator that learns too slowly to leave one place is spoken of once, also where the game is a term of a sum."""
    loss: dict[str, Any] = {"type": "gan/adversarial", "critic": {"type": "nets/mlp", "hidden": [8]}}
    model = {
        "decoder": {"type": "nets/mlp", "hidden": [8], "zero": True},
        "prior": {"type": "core/normal", "shape": [2]},
        "loss": {"type": "core/sum", "terms": [loss]} if nested else loss,
    }
    settings = {"steps": 20, "batch_size": 32, "log_every": 2, "validate_every": 10, "lr": 1e-4, "threads": 1}
    listener = Listener()
    data = {"type": "data/toy", "name": "ring8", "n": 200}
    run = train({"name": "gan", "data": data, "model": model, "train": settings}, folder=tmp_path / "run", reporter=listener)
    assert len(listener.lines) == 1
    assert "times as far apart" in listener.lines[0]
    assert all(0 <= row["spread"] < COLLAPSE for row in run.metrics if "spread" in row)
    assert any("validation/spread" in row for row in run.metrics)
    assert all(row["generator_gradient"] > 0 for row in run.metrics if "loss/generator" in row)
