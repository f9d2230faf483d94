"""The training loop: steps, players, accumulation, validation, and what it leaves alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genframe import (
    Batch,
    Context,
    Dataset,
    Encoder,
    EncoderSpec,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    ModelSpec,
    NonFiniteError,
    Real,
    Space,
    Spaces,
    SpecError,
    Split,
    compose,
)
from genframe.training.reporter import Silent
from genframe.training.settings import TrainSpec
from genframe.training.signals import Interrupted
from genframe.training.trainer import Trainer

SPACE = Real((4,))
MLP = {"type": "nets/mlp", "hidden": [5]}
AUTOENCODER = {"encoder": {**MLP, "dim": 2}, "decoder": MLP}


class Plain(LossSpec):
    """Squared error without noise."""

    type: Literal["test/plain"] = "test/plain"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return SquaredError()


class SquaredError(Loss):
    """The mean squared error, and the types seen while it was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.dtype] = []

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the error."""
        latent = model.encode(batch.x)
        self.seen.append(latent.dtype)
        total = (model.decode(latent) - batch.x).square().mean()
        return LossOutput(total, {"largest": batch.x.detach().max()})


class Noisy(LossSpec):
    """Squared error weighted by noise from every global generator."""

    type: Literal["test/noisy"] = "test/noisy"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return NoisyError()


class NoisyError(SquaredError):
    """Draws from torch, Python and numpy."""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted error."""
        output = super().forward(model, batch, player)
        noise = torch.rand(()) + random.random() + np.random.random()
        return LossOutput(output.total * noise, {"noise": noise})


class Duel(LossSpec):
    """A tiny adversarial loss: a critic tells data from what the decoder makes of noise."""

    type: Literal["test/duel"] = "test/duel"
    players: ClassVar[tuple[str, ...]] = ("critic", "generator")

    bad: Literal["", "critic", "generator"] = ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return DuelLoss(self.bad)


class DuelLoss(Loss):
    """Owns the critic; notes the order of the players and their weights at each call."""

    def __init__(self, bad: str) -> None:
        super().__init__()
        self.critic = nn.Linear(4, 1)
        self.bad = bad
        self.calls: list[tuple[str, dict[str, Tensor]]] = []

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the player's side of the game."""
        if torch.is_grad_enabled():
            self.calls.append((player, {name: p.detach().clone() for name, p in model.named_parameters()}))
        fake = self.critic(model.decode(model.prior.sample(len(batch.x)))).mean()
        real = self.critic(batch.x).mean()
        total = (fake - real + self.critic.weight.square().sum()) if player == "critic" else -fake
        if player == self.bad:
            total = total * math.nan
        return LossOutput(total, {"real": real.detach(), f"{player}_only": fake.detach()})

    def player_parameters(self, model: Model, player: str) -> Iterable[nn.Parameter]:
        """Return the critic's own parameters or the model's."""
        return self.critic.parameters() if player == "critic" else model.part_parameters()


GAN = {"decoder": MLP, "prior": {"type": "core/normal", "shape": [2]}}


class Watch:
    """Observes training: rows, and what it was told when."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.events: list[str] = []

    def log(self, row: Mapping[str, float]) -> None:
        """Keep the row."""
        self.rows.append(dict(row))
        self.events.append(f"log {row['step']:.0f}")

    def checkpoint(self, trainer: Trainer) -> None:
        """Note the step."""
        self.events.append(f"checkpoint {trainer.progress.step}")

    def picture(self, trainer: Trainer) -> None:
        """Draw from every generator, as samplers may."""
        self.events.append(f"picture {trainer.progress.step}")
        _ = torch.rand(3), random.random(), np.random.random()


class Ear(Silent):
    """Keeps what a person would read."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.messages: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    def begin(self, stage: str, steps: int, done: int, unit: str = "step") -> None:
        """Keep the stage."""
        self.stages.append((stage, steps, done))

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the row."""
        self.rows.append((step, dict(values)))

    def message(self, text: str) -> None:
        """Keep the line."""
        self.messages.append(text)


def data(n: int = 48) -> Dataset:
    """Return correlated vectors, with a validation split whose size is no multiple of a batch."""
    x = torch.randn(n + 300, 4, generator=torch.Generator().manual_seed(1)).cumsum(1)
    return Dataset(SPACE, {"train": Split("train", x[:n]), "validation": Split("validation", x[n:])})


def trainer(loss: LossSpec | None = None, model: Any = AUTOENCODER, **fields: Any) -> Trainer:
    """Return a trainer whose observer is a Watch and whose reporter is an Ear."""
    spec = ModelSpec.model_validate({**model, "loss": loss or Plain()})
    settings = TrainSpec.model_validate({"steps": 12, "batch_size": 8, "device": "cpu", "log_every": 1, "lr": 0.01, **fields})
    return Trainer(compose(spec, SPACE), data(), settings=settings, observer=Watch(), reporter=Ear())


def run(made: Trainer, seed: int = 5) -> Trainer:
    """Train to the end from known generators."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    made.run()
    return made


def rows(made: Trainer, name: str = "loss") -> list[dict[str, float]]:
    """Return the rows with a figure, without their times."""
    assert isinstance(made.observer, Watch)
    return [{key: value for key, value in row.items() if key != "seconds"} for row in made.observer.rows if name in row]


def weights(of: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the parameters."""
    return {name: parameter.detach().clone() for name, parameter in of.named_parameters()}


def moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """Return the names of what differs by a bit."""
    return {name for name in before if not torch.equal(before[name], after[name])}


def same(one: Trainer, other: Trainer) -> bool:
    """Return whether the weights are equal to the bit."""
    return moved(weights(one.model), weights(other.model)) == set()


def by_hand(made: Trainer, steps: int) -> dict[str, Tensor]:
    """Train a twin of a trainer's model by a plain loop on the same batches and return its weights."""
    model = compose(made.model.composition.spec, SPACE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.9, 0.999), weight_decay=0.0)
    for _ in range(steps):
        x = made.data.split("train").stored[made.stage.source.order.next()]
        optimizer.zero_grad()
        (model.reconstruct(x) - x).square().mean().backward()
        optimizer.step()
    return weights(model)


def test_the_loop_is_a_hand_written_loop() -> None:
    """Twelve steps give the weights of a plain torch loop over the same batches."""
    expected = by_hand(trainer(), 12)
    for name, found in weights(run(trainer()).model).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("micro", [2, 4])
def test_accumulation_equals_a_larger_batch(micro: int, clip: float | None) -> None:
    """k micro-batches of 16 / k make the step, the loss and the metrics' mean of one batch of 16."""
    whole = run(trainer(batch_size=16, steps=6, optimizer="sgd", clip=clip))
    parts = run(trainer(batch_size=16 // micro, steps=6, optimizer="sgd", clip=clip, accumulate=micro))
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
    for row, peer in zip(rows(whole), rows(parts), strict=True):
        assert peer["loss"] == pytest.approx(row["loss"], rel=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_logged_learning_rate_is_the_one_used(schedule: str) -> None:
    """Each row's lr is what the optimizer had in the step that the row is of."""
    made = trainer(steps=9, schedule=schedule, warmup=3, lr_end=0.1)
    used = []
    for _ in range(9):
        made.advance(1)
        used.append(made.players[0].optimizer.param_groups[0]["lr"])
    assert [row["lr"] for row in rows(made)] == used
    assert used[:3] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])
    assert (used[-1] < 0.01) == (schedule != "constant")


def test_rows_are_averages_between_lines() -> None:
    """With a line every four steps, a figure is the mean of the four that single lines have."""
    fine, coarse = run(trainer()), run(trainer(log_every=4))
    losses = [row["loss"] for row in rows(fine)]
    assert [row["step"] for row in rows(coarse)] == [4, 8, 12]
    assert [row["loss"] for row in rows(coarse)] == pytest.approx([sum(losses[k : k + 4]) / 4 for k in (0, 4, 8)])


DISTURBANCES: dict[str, dict[str, Any]] = {
    "validation": {"validate_every": 2},
    "pictures": {"sample_every": 3},
    "logging": {"log_every": 5},
    "checkpoints": {"checkpoint_every": 4},
}


@pytest.mark.parametrize("name", DISTURBANCES)
@pytest.mark.parametrize("ema", [None, 0.8])
def test_looking_does_not_disturb(name: str, ema: float | None) -> None:
    """Training with validation, pictures, checkpoints or fewer log lines ends with the same weights to the bit."""
    undisturbed = run(trainer(Noisy(), ema=ema))
    disturbed = run(trainer(Noisy(), ema=ema, **DISTURBANCES[name]))
    assert same(undisturbed, disturbed)
    assert not same(undisturbed, run(trainer(Noisy(), ema=ema), seed=6))


def test_validation_has_fixed_noise() -> None:
    """Two validations of the same weights are equal, whatever the generators are at; other weights give other figures."""
    made = trainer(Noisy())
    first = made.validate()
    _ = torch.rand(5), random.random(), np.random.random()
    assert made.validate() == first
    made.advance(3)
    assert made.validate() != first
    assert made.validate()["validation/noise"] == first["validation/noise"]


def test_validation_is_the_mean_over_the_split() -> None:
    """The figures weigh each datum equally, though the last batch is small, under the averaged weights."""
    made = trainer(ema=0.5)
    made.advance(5)
    x = made.data.split("validation").stored
    assert made.average is not None
    with torch.no_grad():
        own = float((made.model.reconstruct(x) - x).square().mean())
        with made.average.applied():
            expected = float((made.model.reconstruct(x) - x).square().mean())
    assert len(x) == 300
    assert made.validate()["validation/loss"] == pytest.approx(expected, rel=1e-5)
    assert abs(own - expected) > 1e-3 * expected


def test_validation_leaves_the_modes_as_they_were() -> None:
    """The parts that learn are in training mode again, after an error in the loss too."""
    made = trainer()
    made.validate()
    assert all(module.training for module in made.model.modules())

    def fail(*_: Any) -> LossOutput:
        raise ZeroDivisionError

    made.stage.objective.forward = fail  # type: ignore[assignment,method-assign]
    with pytest.raises(ZeroDivisionError):
        made.validate()
    assert all(module.training for module in made.model.modules())


def test_the_reporter_hears_of_validation() -> None:
    """A validation's row reaches the log and the reporter alike, with its step and stage."""
    made = run(trainer(steps=4, log_every=4, validate_every=2))
    assert isinstance(made.reporter, Ear)
    heard = [(step, values) for step, values in made.reporter.rows if "validation/loss" in values]
    assert [step for step, _ in heard] == [2, 4]
    assert [values for _, values in heard] == rows(made, "validation/loss")
    assert heard[0][1].keys() == {"step", "stage", "validation/loss", "validation/largest"}


def test_events_come_in_order() -> None:
    """At a step: log, then checkpoint, then picture, so that a picture can name its checkpoint; the end has its own."""
    made = run(trainer(steps=6, log_every=2, checkpoint_every=4, sample_every=2))
    assert isinstance(made.observer, Watch)
    assert made.observer.events == [
        *["log 2", "picture 2"],
        *["log 4", "checkpoint 4", "picture 4"],
        *["log 6", "checkpoint 6", "picture 6"],
    ]


def test_a_stop_request_saves_once_at_the_step() -> None:
    """A signal at a step where a checkpoint is due anyway gives one checkpoint, then the interruption."""
    made = trainer(checkpoint_every=4, log_every=100)
    made.advance(3)
    made.events.stop.signum = 15
    with pytest.raises(Interrupted, match="stopped by SIGTERM after step 4"):
        made.advance(5)
    assert isinstance(made.observer, Watch)
    assert made.observer.events == ["checkpoint 4"]


def test_bfloat16_is_inside_the_loss_only() -> None:
    """Autocast changes the types that the loss sees; weights, moments and the logged loss stay float32."""
    plain, mixed = trainer(), trainer(precision="bfloat16")
    for made in (plain, mixed):
        made.advance(3)
    seen = [made.model.loss.seen for made in (plain, mixed)]
    assert isinstance(plain.model.loss, SquaredError)
    assert seen == [[torch.float32] * 3, [torch.bfloat16] * 3]
    assert {tensor.dtype for name, tensor in mixed.tensors().items() if not name.startswith("rng/")} == {torch.float32}
    assert rows(mixed)[0]["loss"] == pytest.approx(rows(plain)[0]["loss"], rel=0.05)
    assert not same(plain, mixed)


def test_nothing_to_learn_is_said_before_training() -> None:
    """A stage whose parts have no parameters is refused at once, by its path, though an earlier stage could learn."""
    stages = [{"parts": ["encoder"], "steps": 1}, {"parts": ["prior"], "steps": 1}]
    with pytest.raises(SpecError, match=r"^train\.stages\.1\.parts: nothing can learn: no parameters in prior"):
        trainer(stages=stages)
    with pytest.raises(SpecError, match=r"^model: nothing can learn"):
        trainer(model={"encoder": "core/identity", "decoder": "core/inverse"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    """``device: cuda`` on a machine without one is an error that says so."""
    with pytest.raises(SpecError, match=r"^train\.device: there is no GPU here"):
        trainer(device="cuda")


# Two players


def duel(**fields: Any) -> Trainer:
    """Return a trainer of the adversarial model."""
    return trainer(Duel(bad=fields.pop("bad", "")), GAN, **fields)


def test_players_take_turns_and_move_only_their_own() -> None:
    """The critic moves first, then the generator sees the moved critic; neither moves a bit of the other."""
    made = duel()
    made.advance(3)
    loss = made.model.loss
    assert isinstance(loss, DuelLoss)
    assert [player for player, _ in loss.calls] == ["critic", "generator"] * 3
    states = [state for _, state in loss.calls] + [weights(made.model)]
    critic = {"loss.critic.weight", "loss.critic.bias"}
    generator = set(states[0]) - critic
    for index, (before, after) in enumerate(pairwise(states)):
        if index % 2 == 0:
            assert moved(before, after) == {"loss.critic.weight"}  # its bias has no gradient: fake - real
        else:
            assert moved(before, after) == generator


def test_each_player_has_its_own_optimizer() -> None:
    """Settings of one player leave the other's alone, and the optimizers share no parameter."""
    made = duel(players={"critic": {"lr": 0.5, "betas": [0.0, 0.9]}})
    critic, generator = (player.optimizer.param_groups[0] for player in made.players)
    assert (critic["lr"], critic["betas"]) == (0.5, (0.0, 0.9))
    assert (generator["lr"], generator["betas"]) == (0.01, (0.9, 0.999))
    assert not set(critic["params"]) & set(generator["params"])
    assert set(critic["params"]) | set(generator["params"]) == set(made.model.parameters())


def test_figures_are_named_by_player() -> None:
    """Training and validation have loss/<player>; a metric of both players is one player's, not the sum."""
    made = duel(steps=2, clip=1.0, validate_every=2)
    run(made)
    assert {"loss/critic", "loss/generator", "gradient_norm/critic", "gradient_norm/generator", "real"} <= set(
        rows(made, "real")[0]
    )
    (row,) = rows(made, "validation/real")
    assert {"validation/loss/critic", "validation/loss/generator", "validation/critic_only"} <= set(row)
    assert "validation/loss" not in row
    loss = made.model.loss
    assert isinstance(loss, DuelLoss)
    with torch.no_grad():
        assert row["validation/real"] == pytest.approx(
            float(loss.critic(made.data.split("validation").stored).mean()), rel=1e-4
        )


def test_two_players_resume_bit_for_bit() -> None:
    """Both optimizers, the data order and the noise go on: seven steps are three and four."""
    whole, first, second = (duel(ema=0.9, optimizer="adam", schedule="cosine", steps=7) for _ in range(3))
    torch.manual_seed(1)
    whole.advance(7)
    torch.manual_seed(1)
    first.advance(3)
    saved = {name: tensor.detach().clone() for name, tensor in first.tensors().items()}, first.state()
    torch.manual_seed(99)
    second.restore(*saved)
    second.advance(4)
    assert moved(whole.tensors(), second.tensors()) == set()
    assert rows(whole, "loss/critic")[3:] == rows(second, "loss/critic")
    assert any(name.startswith("optimizer/critic/") for name in saved[0])
    assert any(name.startswith("optimizer/generator/") for name in saved[0])


def test_one_player_that_never_moves_ends_training() -> None:
    """Twenty skipped steps in a row of one player are too many, even if the other player always moves."""
    with pytest.raises(NonFiniteError, match=r"loss of player 'generator' is nan.*20 steps in a row were skipped"):
        run(duel(bad="generator", on_nonfinite="skip", steps=40))


# Skipped steps and running statistics


class WithStatistics(EncoderSpec):
    """A linear encoder with batch normalisation."""

    type: Literal["test/statistics"] = "test/statistics"

    def latent_space(self, data: Space) -> Space:
        """Return two dimensions."""
        return Real((2,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        return Normalised()


class Normalised(Encoder):
    """Linear, normalised by the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 2), nn.BatchNorm1d(2)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent."""
        latent: Tensor = self.norm(self.linear(x))
        return latent


NORMALISED = {"encoder": WithStatistics(), "decoder": MLP}


def spoiled(change: Callable[[Tensor], object], **fields: Any) -> Trainer:
    """Return a trainer of a model with batch normalisation on data of which some are changed."""
    made = trainer(model=NORMALISED, **fields)
    change(made.data.split("train").stored)
    return made


def test_a_skipped_batch_leaves_no_trace_in_running_statistics() -> None:
    """One datum of NaN is skipped with its batch: running statistics stay finite and the model can be evaluated."""
    made = spoiled(lambda x: x[3].fill_(math.nan), on_nonfinite="skip", steps=6)
    run(made)
    assert made.progress.skipped == 1
    assert all(bool(buffer.isfinite().all()) for buffer in made.model.buffers())
    assert int(made.model.get_buffer("encoder.norm.num_batches_tracked")) == 5


def test_statistics_that_are_not_finite_are_not_saved() -> None:
    """NaN in a buffer is found before a checkpoint, by its name; infinity in a buffer, as masks have it, is none."""
    made = trainer(model=NORMALISED, checkpoint_every=3)
    made.model.register_buffer("mask", torch.full((2,), -math.inf))
    made.advance(2)
    made.model.get_buffer("encoder.norm.running_var").fill_(math.nan)
    with pytest.raises(NonFiniteError, match=r"'encoder\.norm\.running_var' hold NaN or infinity, so they were not saved"):
        made.advance(1)


def test_it_leaves_the_model_ready_for_use() -> None:
    """After training every parameter is open to gradients and every module in evaluation mode, with the averaged weights."""
    made = run(trainer(ema=0.9, stages=[{"parts": ["encoder"], "steps": 3}]))
    assert all(parameter.requires_grad for parameter in made.model.parameters())
    assert not any(module.training for module in made.model.modules())
    assert made.average is not None
    assert moved(weights(made.model), made.average.tensors()) == set()
