"""Stages: what is frozen stays so to the bit, a prior is trained or fitted on codes alone, averages pass on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn

from genframe import (
    Batch,
    Categorical,
    CheckpointError,
    Context,
    ContextSpace,
    Dataset,
    Encoder,
    EncoderSpec,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    ModelSpec,
    Prior,
    PriorSpec,
    Real,
    Space,
    Spaces,
    Split,
    compose,
)
from genframe.training.objective import Objective
from genframe.training.order import DataOrder
from genframe.training.reporter import Silent
from genframe.training.settings import TrainSpec
from genframe.training.trainer import Trainer
from genframe.types import Density, Fittable, TraitSet, traits

SPACE = Real((4,))
MLP = {"type": "nets/mlp", "hidden": [5]}
GAUSSIAN = {"type": "vae/gaussian", "dim": 2, "network": MLP}
VAE = {"encoder": GAUSSIAN, "decoder": {"type": "vae/normal", "network": MLP}, "loss": "vae/elbo"}
N = 40


class Book(EncoderSpec):
    """An encoder with every kind of state that a stage must freeze."""

    type: Literal["test/book"] = "test/book"

    def latent_space(self, data: Space) -> Space:
        """Return two dimensions."""
        return Real((2,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        return BookEncoder()


class BookEncoder(Encoder):
    """Linear, batch normalisation, and a codebook that follows the latents by a moving average in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 2), nn.BatchNorm1d(2)
        self.register_buffer("codebook", torch.zeros(2))

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent, moving the codebook."""
        latent: Tensor = self.norm(self.linear(x))
        if self.training:
            codebook = self.get_buffer("codebook")
            codebook.lerp_(latent.detach().square().mean(0), 0.1)
        return latent + self.get_buffer("codebook")


class Places(PriorSpec):
    """A prior with a density of its own and a fit."""

    type: Literal["test/places"] = "test/places"
    provides: ClassVar[TraitSet] = traits(Density, Fittable)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept everything."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        return Place()


class Place(Prior):
    """N(place, I), which notes each call of fit."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.full((2,), 3.0))
        self.norm = nn.BatchNorm1d(2)
        self.fits: list[Tensor] = []

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return draws."""
        return self.place + torch.randn(n, 2, generator=generator)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density up to a constant."""
        if self.training:
            self.norm(code)
        return -0.5 * (code - self.place).square().sum(1)

    def fit(self, codes: Tensor, context: Context | None = None, generator: Generator | None = None) -> dict[str, Any]:
        """Take the mean of the codes."""
        self.fits.append(codes)
        self.place.copy_(codes.mean(0))
        return {"mean": float(codes.mean())}


class Error(LossSpec):
    """Squared error, with a pull of codes and prior upon each other."""

    type: Literal["test/error"] = "test/error"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return WholeError()


class WholeError(Loss):
    """Touches every part, and a scale of the loss's own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the error and the prior's density of the codes."""
        self.calls += 1
        latent = model.encode(batch.x)
        prior = model.prior
        assert isinstance(prior, Place)
        error = (model.decode(latent) * self.scale - batch.x).square().mean() - 0.1 * prior.log_prob(latent).mean()
        return LossOutput(error, {})


PARTS: dict[str, Any] = {"encoder": Book(), "decoder": MLP, "prior": Places(), "loss": Error()}


class Watch:
    """Keeps the rows and the weights at each checkpoint."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.saved: list[int] = []

    def log(self, row: Mapping[str, float]) -> None:
        """Keep the row, without its time."""
        self.rows.append({key: value for key, value in row.items() if key != "seconds"})

    def checkpoint(self, trainer: Trainer) -> None:
        """Note the step."""
        self.saved.append(trainer.progress.step)

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


def trainer(stages: list[dict[str, Any]], parts: Mapping[str, Any] = PARTS, **fields: Any) -> Trainer:
    """Return a trainer of a model in stages."""
    x = torch.randn(N, 4, generator=torch.Generator().manual_seed(1)).cumsum(1)
    settings = {"batch_size": 8, "device": "cpu", "log_every": 1, "lr": 0.02, "stages": stages, **fields}
    model = compose(ModelSpec.model_validate(parts), SPACE)
    dataset = Dataset(SPACE, {"train": Split("train", x)})
    return Trainer(model, dataset, settings=TrainSpec.model_validate(settings), observer=Watch(), reporter=Silent())


def state(of: nn.Module) -> dict[str, Tensor]:
    """Return a copy of parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in of.state_dict().items()}


def moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """Return the names of what differs by a bit."""
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


def roles(names: set[str]) -> set[str]:
    """Return the parts that the names are of."""
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("parts", [["encoder"], ["decoder"], ["encoder", "decoder"], ["decoder", "prior"], ["prior"]])
def test_parts_not_named_do_not_move_by_a_bit(parts: list[str]) -> None:
    """Weights, running statistics and a codebook that follows its latents: all stay in what is frozen."""
    made = trainer([{"parts": parts, "steps": 6}])
    before = state(made.model)
    made.advance(6)
    changed = moved(before, state(made.model))
    assert roles(changed) == {*parts, *(() if parts == ["prior"] else ("loss",))}
    if "encoder" in parts:
        assert {"encoder.codebook", "encoder.norm.running_mean", "encoder.linear.weight"} <= changed


def test_frozen_parts_get_no_gradients() -> None:
    """Where only the prior learns, only its parameters have gradients, and the whole model's loss is not even asked."""
    made = trainer([{"parts": ["prior"], "steps": 3}])
    made.advance(3)
    assert {name for name, p in made.model.named_parameters() if p.grad is not None} == {"prior.place"}
    assert isinstance(made.model.loss, WholeError)
    assert made.model.loss.calls == 0


def test_a_prior_alone_minimises_its_own_objective() -> None:
    """The logged loss is the mean negative log-density of the codes; one step of SGD is the closed-form one."""
    made = trainer([{"parts": ["prior"], "steps": 1}], batch_size=N, optimizer="sgd", lr=0.5, betas=[0.0, 0.9])
    made.model.eval()
    with torch.no_grad():
        codes = made.model.codes(made.data.split("train").stored)
        expected = 0.5 * (codes - 3).square().sum(1).mean()
    made.stage.objective.set_training()
    made.advance(1)
    assert isinstance(made.observer, Watch)
    assert made.observer.rows[0]["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert made.observer.rows[0]["nll"] == made.observer.rows[0]["loss"]
    prior = made.model.prior
    assert isinstance(prior, Place)
    torch.testing.assert_close(prior.place.detach(), 3 + 0.5 * (codes.mean(0) - 3))


def test_a_prior_learns_codes_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under autocast too the codes are those that a metric sees, to the bit: a codebook's indices would be others."""
    model = compose(ModelSpec.model_validate({**VAE, "encoder": {**MLP, "dim": 2}, "loss": "vae/reconstruction"}), SPACE)
    seen: list[Tensor] = []

    def objective(code: Tensor, context: Context | None, player: str) -> LossOutput:
        seen.append(code)
        return LossOutput(code.sum())

    monkeypatch.setattr(model.prior, "objective", objective)
    x = torch.randn(20, 4)
    with torch.autocast("cpu", torch.bfloat16):
        Objective(model, ["prior"])(Batch(x), "model")
    with torch.no_grad():
        assert torch.equal(seen[0], model.codes(x))


def test_a_condition_learns_with_the_prior_alone() -> None:
    """A stage of condition and prior minimises the prior's objective, moves both by its gradient, and nothing else."""
    parts = {**VAE, "prior": "core/categorical", "condition": {"type": "nets/embedding", "dim": 3}, "conditional": ["prior"]}
    parts |= {"encoder": {"type": "vq/quantizer", "network": MLP, "size": 4, "dim": 2}, "decoder": MLP, "loss": "vq/vqvae"}
    labels = torch.arange(N) % 2
    x = torch.randn(N, 4, generator=torch.Generator().manual_seed(1)) + 2 * labels[:, None]
    model = compose(ModelSpec.model_validate(parts), SPACE, Categorical((), 2))
    dataset = Dataset(SPACE, {"train": Split("train", x, labels)}, Categorical((), 2))
    settings = {"batch_size": 8, "device": "cpu", "log_every": 1, "lr": 0.1}
    stages = [{"parts": ["condition", "prior"], "steps": 60}]
    made = Trainer(
        model, dataset, settings=TrainSpec.model_validate({**settings, "stages": stages}), observer=Watch(), reporter=Silent()
    )
    before = state(model)
    made.run()
    assert roles(moved(before, state(model))) == {"condition", "prior"}
    assert isinstance(made.observer, Watch)
    codes = model.codes(x, labels)
    counts = torch.stack([torch.bincount(codes[labels == label].flatten(), minlength=4) for label in (0, 1)]).float()
    entropy = -(counts / N * (counts / counts.sum(1, keepdim=True)).clamp(min=1e-9).log()).sum()
    assert made.observer.rows[-1]["nll"] == made.observer.rows[-1]["loss"]
    nll = -model.prior.log_prob(codes, model.context(labels)).mean()
    assert float(nll.detach()) == pytest.approx(float(entropy), abs=0.05)


@pytest.mark.parametrize("ema", [None, 0.95])
def test_a_fit_stage_fits_once_to_all_codes_in_order(ema: float | None) -> None:
    """The prior sees every code once, in the order of the data, of the trained encoder; with an average of the weights
    too it keeps what it was fitted to."""
    made = trainer([{"parts": ["encoder", "decoder"], "steps": 9}, {"parts": ["prior"], "fit": True}], ema=ema)
    made.run()
    prior = made.model.prior
    assert isinstance(prior, Place)
    (codes,) = prior.fits
    with torch.no_grad():
        torch.testing.assert_close(codes, made.model.codes(made.data.split("train").stored))
        torch.testing.assert_close(prior.place.detach(), codes.mean(0))
    if made.average is not None:
        torch.testing.assert_close(made.average.tensors()["prior.place"], codes.mean(0))
    assert isinstance(made.observer, Watch)
    assert made.observer.rows[-1] == {"step": 9, "stage": 1, "fit/mean": float(codes.mean())}


def test_each_stage_begins_anew() -> None:
    """A stage has its own optimizer, schedule and order of data: the learning rate warms up again."""
    stages = [{"parts": ["encoder", "decoder"], "steps": 4}, {"parts": ["decoder"], "steps": 4}]
    made = trainer(stages, warmup=4, schedule="linear")
    first = made.stage.source.order.next()
    made.begin_stage()
    made.run()
    assert isinstance(made.observer, Watch)
    rates = [row["lr"] / 0.02 for row in made.observer.rows]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1] * 2)
    second = DataOrder(N, 8, made.stage.source.order.seed, torch.device("cpu")).next()
    assert not torch.equal(first, second)
    assert [(row["step"], row["stage"]) for row in made.observer.rows] == [(step, (step - 1) // 4) for step in range(1, 9)]


def test_the_average_is_adopted_between_stages() -> None:
    """The second stage trains on the codes of the averaged weights, and its own average begins at their value."""
    made = trainer([{"parts": ["encoder", "decoder"], "steps": 5}, {"parts": ["prior"], "steps": 5}], ema=0.9)
    assert made.average is not None
    made.advance(5)
    averaged = {name: tensor.clone() for name, tensor in made.average.tensors().items()}
    assert "encoder.linear.weight" in moved(averaged, dict(made.model.named_parameters()))
    made.next_stage()
    assert moved(averaged, dict(made.model.named_parameters())) == set()
    assert (made.average.updates, made.progress.stage, made.progress.stage_step) == (0, 1, 0)
    made.advance(5)
    assert roles(moved(averaged, dict(made.model.named_parameters()))) == {"prior"}
    assert roles(moved(averaged, made.average.tensors())) == {"prior"}


def test_a_checkpoint_is_due_at_the_end_of_a_stage_too() -> None:
    """Where a checkpoint falls on the last step of a stage that is not the last, it is made."""
    made = trainer([{"parts": ["encoder"], "steps": 4}, {"parts": ["decoder"], "steps": 4}], checkpoint_every=4)
    made.run()
    assert isinstance(made.observer, Watch)
    assert made.observer.saved == [4, 8]


LEARNED = {"type": "core/model", "model": VAE}
CODER = {"encoder": GAUSSIAN, "decoder": MLP, "loss": "vae/reconstruction", "prior": LEARNED}
TWO = [{"parts": ["encoder", "decoder"], "steps": 12}, {"parts": ["prior"], "steps": 12}]


def test_a_model_of_the_codes_is_trained_in_a_second_stage() -> None:
    """An autoencoder, then a VAE over its codes, from specs alone: the nested model's bound rises, nothing else moves."""
    stages = [TWO[0], {"parts": ["prior"], "steps": 80}]
    made = trainer(stages, CODER, ema=0.5)
    initial = state(made.model)
    made.advance(12)
    made.next_stage()
    first = state(made.model)
    assert roles(moved(initial, first)) == {"encoder", "decoder"}
    made.advance(80)
    assert roles(moved(first, state(made.model))) == {"prior"}
    assert isinstance(made.observer, Watch)
    bounds = [row["elbo"] for row in made.observer.rows if row["stage"] == 1]
    assert sum(bounds[-10:]) / 10 > sum(bounds[:10]) / 10 + 0.3
    assert made.model.sample(5).x.shape == (5, 4)


def saved(made: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a copy of all that a checkpoint would hold."""
    return {name: tensor.detach().clone() for name, tensor in made.tensors().items()}, made.state()


def ending(made: Trainer) -> tuple[dict[str, Tensor], Any]:
    """Train to the end and return the whole state there."""
    made.run()
    return saved(made)


@pytest.mark.parametrize("parts", [PARTS, CODER], ids=["own", "nested"])
@pytest.mark.parametrize("stop", [5, 12, 17, 24])
def test_resuming_within_any_stage_is_bit_for_bit(stop: int, parts: Mapping[str, Any]) -> None:
    """Stopped in the first stage, at its end, in the second, or at its end, training goes on to the same bits."""
    fields: dict[str, Any] = {"ema": 0.9, "schedule": "cosine", "clip": 1.0}
    whole, first, second = (trainer(TWO, parts, **fields) for _ in range(3))
    torch.manual_seed(2)
    tensors, last = ending(whole)
    torch.manual_seed(2)
    first.advance(min(stop, 12))
    if stop > 12:
        first.next_stage()
        first.advance(stop - 12)
    middle = saved(first)
    torch.manual_seed(77)
    second.restore(*middle)
    again, end = ending(second)
    assert moved(tensors, again) == set()
    assert end == last
    assert isinstance(whole.observer, Watch)
    assert isinstance(second.observer, Watch)
    assert second.observer.rows == whole.observer.rows[stop:]


def test_a_finished_training_goes_on_with_a_stage_that_was_added() -> None:
    """A training that ended goes on under a spec with one more stage, fitted or trained."""
    made = trainer(TWO[:1])
    made.run()
    for added in ({"parts": ["prior"], "fit": True}, {"parts": ["prior"], "steps": 3}):
        longer = trainer([TWO[0], added])
        longer.restore(*saved(made))
        longer.run()
        assert roles(moved(state(made.model), state(longer.model))) == {"prior"}


def test_a_stage_that_is_gone_is_an_error() -> None:
    """A state in the second stage does not fit a spec with only one."""
    made = trainer(TWO)
    made.advance(12)
    made.next_stage()
    with pytest.raises(CheckpointError, match="not of this experiment"):
        trainer(TWO[:1]).restore(*saved(made))
