"""The kit passes an honest loss and an honest sampler and catches each lie told by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn

from genframe import (
    Batch,
    Context,
    Encoder,
    Loss,
    LossOutput,
    LossSpec,
    Mismatch,
    Model,
    Needs,
    Sampler,
    SamplerSpec,
    Space,
    Spaces,
    State,
    traits,
)
from genframe.testing import check_component
from genframe.types import Bijective, Completing, Density, Identity, TraitSet


class WeightedNll(Loss):
    """An honest loss with a parameter of its own: a learnt shift of the data, under maximum likelihood."""

    def __init__(self, data: Space) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(data.shape))

    def of(self, model: Model, batch: Batch) -> Tensor:
        """Each datum's loss: (B,)."""
        return -model.log_prob(batch.x + self.shift, batch.condition).nats

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        total = self.of(model, batch).mean()
        return LossOutput(total, {"nll": total.detach()})


class Honest(LossSpec):
    """Minimises an honest likelihood."""

    type: Literal["kit/nll"] = "kit/nll"
    needs: ClassVar[Needs] = {"encoder": Bijective, "prior": Density}
    part: ClassVar[Any] = WeightedNll

    def accepts(self, spaces: Spaces) -> None:
        if spaces.data.discrete:
            raise Mismatch(f"values on a grid cannot be shifted, found {spaces.data}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        return self.part(spaces.data)


class Sums(WeightedNll):
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        return LossOutput(self.of(model, batch).sum())


class SumsWithNoise(WeightedNll):
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        noisy = Batch(batch.x + 0.1 * torch.randn_like(batch.x), batch.condition)
        return LossOutput(self.of(model, noisy).sum())


class NotReduced(WeightedNll):
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        return LossOutput(self.of(model, batch))


class MetricsInTheGraph(WeightedNll):
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        total = self.of(model, batch).mean()
        return LossOutput(total, {"nll": total})


class NoGradient(WeightedNll):
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        return LossOutput(self.of(model, batch).mean().detach())


class DeadCritic(WeightedNll):
    def __init__(self, data: Space) -> None:
        super().__init__(data)
        self.critic = nn.Linear(data.dims, 1)


class Orphan(WeightedNll):
    def player_parameters(self, model: Model, player: str) -> Iterable[nn.Parameter]:
        return model.part_parameters()


class Forgetful(WeightedNll):
    def __init__(self, data: Space) -> None:
        super().__init__(data)
        self.steps = 0

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        self.steps += self.training
        return LossOutput((1 + self.steps) * self.of(model, batch).mean())


class Unseeded(WeightedNll):
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        generator = Generator()
        generator.seed()
        return LossOutput(self.of(model, batch).mean() + torch.rand((), generator=generator))


LIES = [
    (NotReduced, "spaces", "the total must be a finite scalar"),
    (MetricsInTheGraph, "spaces", "the metric 'nll' must be a detached scalar"),
    (NoGradient, "gradients", "the total of player 'model' in .* has no gradient in any parameter"),
    (DeadCritic, "gradients", "no gradient of any player in .* reaches the loss's parameter 'critic.weight'"),
    (Orphan, "gradients", "the loss's parameter 'shift' belongs to no player"),
    (Unseeded, "seed", "under one seed"),
    (Sums, "batch", "average it over the batch"),
    (SumsWithNoise, "batch", "average it over the batch"),
    (Forgetful, "state", "after its state was saved and loaded"),
]


def test_an_honest_loss_passes_every_check() -> None:
    """The control: the kit finds a model for the loss, and nothing wrong with it."""
    assert check_component(Honest) == []


@pytest.mark.parametrize(("part", "check", "message"), LIES, ids=[lie[0].__name__ for lie in LIES])
def test_a_lying_loss_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Loss], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was found."""
    monkeypatch.setattr(Honest, "part", part)
    assert any(re.search(message, str(finding)) for finding in check_component(Honest, only=[check]))


class TwoSteps(Sampler):
    """An honest walk: a code, then the same a little moved."""

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        x = model.decoder.decode(model.latents(model.prior.sample(n, context, generator)), context)
        yield State(x, 1, 2)
        yield State(x + 0.1 * torch.randn(x.shape, generator=generator), 2, 2)


class HonestSampler(SamplerSpec):
    """Walks two honest steps."""

    type: Literal["kit/walk"] = "kit/walk"
    part: ClassVar[Any] = TwoSteps

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        return self.part()


class StopsShort(TwoSteps):
    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        yield next(super().trajectory(model, n, context, generator))


class Nowhere(TwoSteps):
    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        yield from ()


class OneDatumOnly(TwoSteps):
    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        return super().trajectory(model, 1, context, generator)


class IgnoresGenerator(TwoSteps):
    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        return super().trajectory(model, n, context, None)


class AlwaysTheSame(TwoSteps):
    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        return super().trajectory(model, n, context, Generator().manual_seed(0))


class GoesOn(TwoSteps):
    """Keeps what is known, and draws the rest."""

    def complete(
        self, model: Model, known: Tensor, mask: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return torch.where(mask, known, self.draw(model, len(known), context, generator))


class ForgetsWhatIsKnown(GoesOn):
    def complete(
        self, model: Model, known: Tensor, mask: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return self.draw(model, len(known), context, generator)


class DrawsOthersWhereNothingIsKnown(GoesOn):
    def complete(
        self, model: Model, known: Tensor, mask: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        return super().complete(model, known, mask, context, Generator().manual_seed(1))


class HonestCompletion(HonestSampler):
    """Walks two honest steps, and goes on from what is known."""

    type: Literal["kit/completion"] = "kit/completion"
    provides: ClassVar[TraitSet] = traits(Completing)
    needs: ClassVar[Needs] = {"encoder": Identity}
    part: ClassVar[Any] = GoesOn


COMPLETION_LIES = [
    (ForgetsWhatIsKnown, "all is known, and it is not what comes back"),
    (DrawsOthersWhereNothingIsKnown, "nothing is known, and other data are drawn"),
]


def test_an_honest_completion_passes_every_check() -> None:
    """The control."""
    assert check_component(HonestCompletion) == []


@pytest.mark.parametrize(("part", "message"), COMPLETION_LIES, ids=[lie[0].__name__ for lie in COMPLETION_LIES])
def test_a_lying_completion_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Sampler], message: str) -> None:
    """The check finds it, and says what was found."""
    monkeypatch.setattr(HonestCompletion, "part", part)
    assert any(message in str(finding) for finding in check_component(HonestCompletion, only=["completion"]))


SAMPLER_LIES = [
    (StopsShort, "spaces", "steps must rise to the number announced, 2, found"),
    (Nowhere, "spaces", "the trajectory has no state"),
    (OneDatumOnly, "spaces", "a batch of 3 has shape"),
    (IgnoresGenerator, "seed", "samples differ under one seed"),
    (AlwaysTheSame, "seed", "samples are the same under two seeds"),
]


def test_an_honest_sampler_passes_every_check() -> None:
    """The control: the kit finds a model for the sampler, and nothing wrong with it."""
    assert check_component(HonestSampler) == []


@pytest.mark.parametrize(("part", "check", "message"), SAMPLER_LIES, ids=[lie[0].__name__ for lie in SAMPLER_LIES])
def test_a_lying_sampler_is_caught(monkeypatch: pytest.MonkeyPatch, part: type[Sampler], check: str, message: str) -> None:
    """The check meant for a lie finds it, and says what was found."""
    monkeypatch.setattr(HonestSampler, "part", part)
    assert any(re.search(message, str(finding)) for finding in check_component(HonestSampler, only=[check]))
