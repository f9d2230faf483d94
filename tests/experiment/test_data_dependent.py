"""Parts that take their first state from data: once, before their first step, and never again after a resume."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn

from genframe import (
    Context,
    ContextSpace,
    Dataset,
    Encoder,
    EncoderSpec,
    Loss,
    LossSpec,
    ModelSpec,
    Prior,
    PriorSpec,
    Real,
    Space,
    Spaces,
    Split,
    compose,
)
from genframe.core import IdentityEncoder, ModelPrior
from genframe.core.parts import ExactNll
from genframe.roles.random import generator_for
from genframe.training.reporter import Silent
from genframe.training.settings import TrainSpec
from genframe.training.trainer import Trainer
from genframe.types import Bijective, DataDependent, Density, Fittable, TraitSet, traits

SPACE = Real((3,))
N = 40


class Watch:
    """Observes nothing."""

    def log(self, row: Any) -> None:
        """Keep nothing."""

    def checkpoint(self, trainer: Trainer) -> None:
        """Save nothing."""

    def picture(self, trainer: Trainer) -> None:
        """Draw nothing."""


class ActNorm(Encoder):
    """z = (x - shift) / scale, from the first data; notes what it is initialised with."""

    def __init__(self) -> None:
        super().__init__()
        self.shift, self.scale = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.ones(3))
        self.seen: list[Tensor] = []
        self.modes: list[tuple[bool, bool]] = []

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Take mean and deviation, and draw from the global generator, as dequantisation would."""
        self.seen.append(x)
        self.modes.append((self.training, torch.is_grad_enabled()))
        self.shift.copy_(x.mean(0) + 0.1 * torch.randn(3))
        self.scale.copy_(x.std(0))

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent."""
        return (x - self.shift) / self.scale

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the latent and the log-determinant."""
        return self.encode(x), -self.scale.abs().log().sum().expand(len(x))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the datum."""
        return latent * self.scale + self.shift


class Norm(EncoderSpec):
    """Normalises by the first data."""

    type: Literal["test/norm"] = "test/norm"
    provides: ClassVar[TraitSet] = traits(Bijective, DataDependent)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space."""
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        return ActNorm()


class Place(Prior):
    """N(place, I) of the first codes; can be fitted as well."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(3))
        self.seen: list[Tensor] = []

    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Take the mean of the codes."""
        self.seen.append(x)
        self.place.copy_(x.mean(0))

    def fit(self, codes: Tensor, context: Context | None = None, generator: Generator | None = None) -> dict[str, Any]:
        """Take another place than the mean."""
        self.place.fill_(5.0)
        return {}

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return draws."""
        return self.place + torch.randn(n, 3, generator=generator)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density up to a constant."""
        return -0.5 * (code - self.place).square().sum(1)


class Places(PriorSpec):
    """Takes its place from the first codes."""

    type: Literal["test/places"] = "test/places"
    provides: ClassVar[TraitSet] = traits(DataDependent, Density, Fittable)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept everything."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        return Place()


FLOW: dict[str, Any] = {"encoder": Norm(), "decoder": "core/inverse", "prior": Places(), "loss": "core/nll"}
FREE: dict[str, Any] = {**FLOW, "encoder": {"type": "core/identity"}}


def prepared(stored: Tensor, generator: Generator | None) -> Tensor:
    """Add noise from the global generator, as dequantisation does."""
    return stored + 0.01 * torch.rand(stored.shape, generator=generator)


def augmented(stored: Tensor, generator: Generator | None) -> Tensor:
    """Move data far away."""
    return stored + 1000


def trainer(parts: dict[str, Any] = FLOW, **fields: Any) -> Trainer:
    """Return a trainer of a flow."""
    x = 4 + 2 * torch.randn(N, 3, generator=generator_for("cpu", 1))
    settings = {"batch_size": 8, "device": "cpu", "lr": 0.02, "steps": 6, **fields}
    split = Split("train", x, prepare=prepared, augment=augmented)
    model = compose(ModelSpec.model_validate(parts), SPACE)
    return Trainer(
        model,
        Dataset(SPACE, {"train": split}),
        settings=TrainSpec.model_validate(settings),
        observer=Watch(),
        reporter=Silent(),
    )


def tensors(made: Trainer) -> dict[str, Tensor]:
    """Return a copy of the whole state."""
    return {name: tensor.detach().clone() for name, tensor in made.tensors().items()}


def parts(made: Trainer) -> tuple[ActNorm, Place]:
    """Return encoder and prior."""
    encoder, prior = made.model.encoder, made.model.prior
    assert isinstance(encoder, ActNorm)
    assert isinstance(prior, Place)
    return encoder, prior


def test_encoder_then_prior_see_the_first_data_once() -> None:
    """Before the first step, in evaluation mode and without gradients: prepared data, not augmented, and then their codes."""
    made = trainer(lr=1e-12)
    encoder, prior = parts(made)
    made.advance(3)
    made.advance(3)
    (x,), (codes,) = encoder.seen, prior.seen
    order = torch.randperm(N, generator=generator_for("cpu", made.settings.seed))
    assert ((x - made.data.split("train").stored[order]) >= 0).all()
    assert ((x - made.data.split("train").stored[order]) <= 0.01).all()
    assert encoder.modes == [(False, False)]
    torch.testing.assert_close(codes, encoder.encode(x).detach())
    torch.testing.assert_close(prior.place.detach(), codes.mean(0))
    assert encoder.training


def test_no_more_data_are_taken_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many data the first in a permutation of the seed's; codes are encoded a batch at a time, in order."""
    monkeypatch.setattr("genframe.training.first_state.MOST_ROWS", 30)
    monkeypatch.setattr("genframe.model.model.ENCODE_CHUNK", 7)
    few, other = trainer(lr=1e-12), trainer(lr=1e-12, seed=1)
    few.advance(1)
    other.advance(1)
    encoder, prior = parts(few)
    assert (len(encoder.seen[0]), len(prior.seen[0])) == (30, 30)
    torch.testing.assert_close(prior.seen[0], encoder.encode(encoder.seen[0]).detach())
    assert not torch.equal(parts(other)[0].seen[0], encoder.seen[0])


def test_the_global_generator_is_left_alone() -> None:
    """What preparation and parts draw on the way depends on the spec's seed, and does not move the training's own noise."""
    seen = []
    for state in (3, 4):
        made = trainer()
        torch.manual_seed(state)
        before = torch.get_rng_state()
        made._initialise()
        assert torch.equal(torch.get_rng_state(), before)
        seen.append((*parts(made)[0].seen, parts(made)[0].shift.detach()))
    assert all(torch.equal(*pair) for pair in zip(*seen, strict=True))


def test_the_average_begins_at_the_initialised_weights() -> None:
    """Nothing of the weights before lingers in their average."""
    made = trainer(ema=0.999, lr=1e-12)
    made.advance(1)
    assert made.average is not None
    torch.testing.assert_close(made.average.tensors()["encoder.shift"], parts(made)[0].shift.detach())
    assert made.average.updates == 1


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_resuming_is_bit_for_bit(stop: int) -> None:
    """A resumed stage is not initialised again, and ends in the same bits."""
    whole, first, second = (trainer(ema=0.9) for _ in range(3))
    torch.manual_seed(2)
    whole.run()
    torch.manual_seed(2)
    first.advance(stop)
    saved, state = tensors(first), first.state()
    torch.manual_seed(77)
    second.restore(saved, state)
    second.run()
    assert parts(second)[0].seen == parts(second)[1].seen == []
    ends = tensors(whole), tensors(second)
    assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []


@pytest.mark.parametrize(
    ("stages", "seen"),
    [
        ([{"parts": ["encoder"], "steps": 2}, {"parts": ["prior"], "steps": 2}], ([0], [1])),
        ([{"parts": ["encoder", "prior"], "steps": 2}, {"parts": ["prior", "encoder"], "steps": 2}], ([0], [0])),
        ([{"parts": ["prior"], "steps": 2}, {"parts": ["encoder"], "steps": 2}], ([1], [0])),
        ([{"parts": ["encoder"], "steps": 2}, {"parts": ["prior"], "fit": True}], ([0], [])),
        ([{"parts": ["prior"], "fit": True}, {"parts": ["prior", "encoder"], "steps": 2}], ([1], [])),
    ],
    ids=["one after the other", "both twice", "prior first", "fit", "fit first"],
)
def test_a_part_is_initialised_in_the_first_stage_in_which_it_learns(stages: Any, seen: tuple[list[int], list[int]]) -> None:
    """Not before, not again, and not where it has been fitted instead."""
    made = trainer(stages=stages)
    found: tuple[list[int], list[int]] = ([], [])
    for part, when in zip(parts(made), found, strict=True):
        initialise = part.initialise

        def noting(x: Tensor, context: Any = None, initialise: Any = initialise, when: list[int] = when) -> None:
            when.append(made.progress.stage)
            initialise(x, context)

        part.initialise = noting  # type: ignore[method-assign]
    made.run()
    assert found == seen


def test_a_nested_model_passes_it_on() -> None:
    """A flow as a prior: its encoder is initialised with the outer model's codes, its prior with its own codes."""
    nested = ModelPrior(model=ModelSpec.model_validate(FLOW))
    assert DataDependent in nested.provides
    assert DataDependent not in ModelPrior(model=ModelSpec.model_validate({**FREE, "prior": "core/normal"})).provides
    made = trainer({"encoder": IdentityEncoder(), "decoder": "core/inverse", "prior": nested, "loss": "core/nll"}, lr=1e-12)
    made.advance(1)
    inner: Any = made.model.prior
    (x,) = inner.model.encoder.seen
    assert len(x) == N
    torch.testing.assert_close(inner.model.prior.seen[0], inner.model.encoder.encode(x).detach())


class Own(Places):
    """States its own space."""

    type: Literal["test/own"] = "test/own"  # type: ignore[assignment]

    def own_space(self) -> Space:
        """Return vectors."""
        return SPACE


class Free(LossSpec):
    """A loss that is never computed."""

    type: Literal["test/free"] = "test/free"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make any loss."""
        return ExactNll()


def test_without_an_encoder_there_are_no_codes_to_take_it_from() -> None:
    """A model without an encoder leaves its prior as it is."""
    spec = ModelSpec.model_validate({"decoder": {"type": "nets/mlp", "hidden": [4]}, "prior": Own(), "loss": Free()})
    model = compose(spec, SPACE)
    model.initialise(torch.ones(4, 3))
    assert isinstance(model.prior, Place)
    assert model.prior.seen == []
