"""Losses of smooth energies: what they find on data whose density is known."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn

from genframe import Batch, Encoder, LossSpec, Model, ModelSpec, Prior, PriorSpec, Real, Space, Spaces, compose, generator_for
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe.types import Energy, TraitSet, traits
from genframe_energy import Langevin, LangevinLikelihood, NoiseContrastive, ScoreMatching

MEAN, DEVIATION = torch.tensor([1.0, -0.5]), torch.tensor([0.5, 1.5])
DATA = MEAN + DEVIATION * torch.randn(4000, 2, generator=generator_for("cpu", 0))


class Normals(PriorSpec):
    """A normal energy whose mean and precision are learned."""

    type: Literal["test/normals"] = "test/normals"
    provides: ClassVar[TraitSet] = traits(Energy)

    def accepts(self, code: Space, context: Space | None = None) -> None:
        """Accept the plane."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make it."""
        return NormalEnergy()


class NormalEnergy(Prior):
    """E(x) = sum (x - mean)² exp(log_precision) / 2."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log_precision = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    def energy(self, code: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the energy."""
        return 0.5 * ((code - self.mean).square() * self.log_precision.exp()).sum(1)

    def sample(self, n: int, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Draw nothing of worth."""
        return torch.zeros(n, 2)


def fitted(loss: LossSpec, steps: int, lr: float = 0.05) -> Model:
    """Return the model of the normal data after training."""
    spec = ModelSpec(
        encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=Normals(), loss=loss, sampler=Langevin(steps=5)
    )
    model = compose(spec, Real((2,))).train()
    optimizer = torch.optim.Adam(model.loss.player_parameters(model, "model"), lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    torch.manual_seed(0)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(model, Batch(DATA[torch.randint(len(DATA), (500,))])).total.backward()
        optimizer.step()
        schedule.step()
    return model


@pytest.mark.parametrize(
    ("loss", "noise"),
    [
        (ScoreMatching(noise=0.3), 0.3),
        (ScoreMatching(method="sliced"), 0.0),
        (NoiseContrastive(deviation=2.0, ratio=2), 0.0),
        (LangevinLikelihood(steps=10, step_size=0.4, adjusted=True, buffer=500), 0.0),
    ],
)
def test_losses_find_the_normal_that_made_the_data(loss: LossSpec, noise: float) -> None:
    """Each loss finds the data's mean and deviation; denoising finds that of the data with its noise. Vincent 2011."""
    prior = fitted(loss, 300).prior
    assert isinstance(prior, NormalEnergy)
    found = (-0.5 * prior.log_precision.detach()).exp()
    expected = (DATA.var(0) + noise**2).sqrt()
    torch.testing.assert_close(found, expected, rtol=0.08, atol=0.0)
    torch.testing.assert_close(prior.mean.detach(), DATA.mean(0), rtol=0.0, atol=0.1)


def test_noise_contrast_finds_the_normaliser() -> None:
    """Its parameter becomes log Z of the energy: for a normal, log(2 pi) + sum of log deviations."""
    model = fitted(NoiseContrastive(deviation=2.0, ratio=4), 300)
    exact = math.log(2 * math.pi) + float(DATA.std(0).log().sum())
    assert float(model.loss.log_z.detach()) == pytest.approx(exact, abs=0.1)  # type: ignore[arg-type]


def test_sliced_objective_is_hyvarinens() -> None:
    """Averaged over directions it is the mean of |grad E|² / 2 - trace of the Hessian, here exact. Hyvärinen 2005, eq. 4."""
    model = fitted(ScoreMatching(method="sliced"), 1)
    prior = model.prior
    assert isinstance(prior, NormalEnergy)
    x, precision = DATA[:200], prior.log_precision.detach().exp()
    exact = (0.5 * (precision * (x - prior.mean.detach())).square() - precision).sum(1).mean()
    torch.manual_seed(1)
    mean = torch.stack([model.loss(model, Batch(x)).total.detach() for _ in range(100)]).mean()
    assert float(mean) == pytest.approx(float(exact), abs=0.03)


def test_chains_of_the_buffer_move_in_training_only() -> None:
    """As many chains as the batch has data are put back in training, none in evaluation."""
    model = fitted(LangevinLikelihood(steps=2, buffer=600), 1)
    replay = model.loss.get_buffer("replay")
    for training, moved in ((True, 7), (False, 0)):
        before = replay.clone()
        model.train(training).loss(model, Batch(DATA[:7]))
        assert int((replay != before).any(1).sum()) == moved


def test_batch_of_validation_may_be_larger_than_the_buffer() -> None:
    """In evaluation, chains of a small buffer are drawn more than once."""
    model = fitted(LangevinLikelihood(steps=2, buffer=500), 1).eval()
    assert bool(torch.isfinite(model.loss(model, Batch(DATA[:900])).total))
