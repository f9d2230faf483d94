"""Samplers' stationary moments against a Gaussian's closed form, and the diagnostics of chains."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor

from genframe import Encoder, Model, ModelSpec, Prior, PriorSpec, Real, SamplerSpec, Space, Spaces, compose, generator_for
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe.testing import part
from genframe.types import Energy, TraitSet, traits
from genframe_energy import Gibbs, Hmc, Langevin, Neural, ScoreMatching, Tempering
from genframe_energy.diagnostics import effective_sample_size, split_r_hat
from genframe_nets import MLP

PLANE = Real((2,))
MEAN = torch.tensor([0.5, -1.0])
PRECISION = torch.tensor([[2.0, 0.8], [0.8, 1.0]])


class Quadratic(PriorSpec):
    """A normal distribution that knows its energy only; two of them far apart where ``modes``."""

    type: Literal["test/quadratic"] = "test/quadratic"
    provides: ClassVar[TraitSet] = traits(Energy)
    modes: bool = False

    def accepts(self, code: Space, context: Space | None = None) -> None:
        """Accept the plane."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make it."""
        return QuadraticPrior(self.modes)


class QuadraticPrior(Prior):
    """E(x) = (x - mean)ᵀ precision (x - mean) / 2, or that of two unit normals at -4 and 4 in equal parts."""

    def __init__(self, modes: bool) -> None:
        super().__init__()
        self.modes = modes

    def energy(self, code: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the energy."""
        if self.modes:
            return torch.stack([0.5 * (code - centre).square().sum(1) for centre in (-4.0, 4.0)]).neg().logsumexp(0).neg()
        centred = code - MEAN
        return 0.5 * ((centred @ PRECISION) * centred).sum(1)

    def sample(self, n: int, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Draw nothing of worth."""
        return torch.zeros(n, 2)


def model_of(sampler: SamplerSpec, prior: PriorSpec | None = None) -> Model:
    """Return the model in the plane."""
    parts = {"encoder": IdentityEncoder(), "decoder": IdentityDecoder(), "loss": ScoreMatching()}
    return compose(ModelSpec(prior=prior or Quadratic(), sampler=sampler, **parts), PLANE)


def drawn(sampler: SamplerSpec, n: int, prior: PriorSpec | None = None) -> Tensor:
    """Return the last states of ``n`` chains."""
    model = model_of(sampler, prior)
    return model.sampler.draw(model, n, None, generator_for("cpu", 3))


@pytest.mark.parametrize(
    "sampler",
    [
        Langevin(steps=150, step_size=0.6),
        Hmc(steps=25, step_size=0.4, leapfrogs=3),
        Tempering(steps=150, step_size=0.6, temperatures=(1, 2, 4)),
    ],
)
def test_adjusted_samplers_have_the_normal_distributions_moments(sampler: SamplerSpec) -> None:
    """Mean and covariance of many chains are those of the energy, within sampling error, whatever the step size."""
    n = 6000
    x, covariance = drawn(sampler, n), PRECISION.inverse()
    variances = covariance.diagonal()
    assert bool(((x.mean(0) - MEAN).abs() < 4 * (variances / n).sqrt()).all())
    error = ((variances[:, None] * variances + covariance.square()) / n).sqrt()
    assert bool(((torch.cov(x.T) - covariance).abs() < 4 * error).all())


def test_unadjusted_langevin_is_off_by_what_theory_says() -> None:
    """On a normal of precision P a step of size s has the stationary covariance P⁻¹ (1 - s² P / 4)⁻¹ = (P - s² P² / 4)⁻¹."""
    n, size = 20_000, 0.8
    x = drawn(Langevin(steps=80, step_size=size, adjusted=False), n)
    expected = (PRECISION - size**2 / 4 * PRECISION @ PRECISION).inverse()
    variances = expected.diagonal()
    error = ((variances[:, None] * variances + expected.square()) / n).sqrt()
    assert bool(((torch.cov(x.T) - expected).abs() < 4 * error).all())
    assert bool(((expected - PRECISION.inverse()).diagonal() > 8 * error.diagonal()).any())  # an exact sampler would fail


def test_tempering_crosses_between_modes_that_langevin_does_not() -> None:
    """From one mode, chains at temperature 1 alone stay there; with hotter chains a half comes to the other."""
    start = torch.full((400, 2), 4.0)
    shares = []
    for sampler in (Langevin(steps=1, step_size=0.7), Tempering(steps=1, step_size=0.7, temperatures=(1, 2, 4, 8, 16))):
        model = model_of(sampler, Quadratic(modes=True))
        walk = model.sampler.walk(model.prior, start, None, generator_for("cpu", 0))  # type: ignore[attr-defined]
        for _ in range(400):
            x = next(walk)
        shares.append(float((x.sum(1) < 0).float().mean()))
    assert shares[0] < 0.01
    assert 0.4 < shares[1] < 0.6


def test_kernel_of_a_network_leaves_its_distribution_unchanged() -> None:
    """The neural energy's transition is reversible: without a network to reweigh it, the base density is stationary."""
    prior = part(Neural(network=MLP(hidden=(4,), dim=1), base=1.5, step_size=1.0), code=PLANE)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.zero_()
    x = 1.5 * torch.randn(20_000, 2, generator=generator_for("cpu", 0))
    for step in range(10):
        x = prior.transition(x, None, generator_for("cpu", step))  # type: ignore[operator]
    assert float(x.std()) == pytest.approx(1.5, abs=0.03)
    assert float(x.mean()) == pytest.approx(0.0, abs=0.04)


def test_states_are_shown_after_burn_in_at_intervals() -> None:
    """With burn_in 5 and thinning 4, ten more steps are shown at 9, 13 and at the end."""
    model = model_of(Langevin(steps=15, burn_in=5, thinning=4))
    states = list(model.sampler.trajectory(model, 2, None, generator_for("cpu", 0)))
    assert [(state.step, state.steps) for state in states] == [(9, 15), (13, 15), (15, 15)]


def autoregression(chains: int, steps: int, rho: float) -> Tensor:
    """Return stationary AR(1) chains of unit variance: (chains, steps)."""
    noise = torch.randn(chains, steps, dtype=torch.float64, generator=generator_for("cpu", 1))
    x = [noise[:, 0]]
    for step in range(1, steps):
        x.append(rho * x[-1] + math.sqrt(1 - rho**2) * noise[:, step])
    return torch.stack(x, 1)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.5])
def test_effective_sample_size_of_autoregression(rho: float) -> None:
    """An AR(1) chain of N draws is worth N (1 - rho) / (1 + rho) independent ones, and has an R-hat of 1."""
    draws = autoregression(16, 4000, rho)
    expected = draws.numel() * (1 - rho) / (1 + rho)
    assert float(effective_sample_size(draws)) == pytest.approx(expected, rel=0.12)
    assert float(split_r_hat(draws)) == pytest.approx(1.0, abs=0.01)


def test_r_hat_of_chains_that_disagree() -> None:
    """Chains around -a and a have an R-hat of about sqrt(1 + a²), and are worth few draws."""
    draws = autoregression(16, 2000, 0.0) + 2.0 * torch.tensor([1.0, -1.0]).repeat(8)[:, None]
    assert float(split_r_hat(draws)) == pytest.approx(math.sqrt(1 + 4 * 32 / 31), abs=0.02)
    assert float(effective_sample_size(draws)) < 100
    assert bool(torch.isnan(split_r_hat(torch.ones(4, 10))))
    assert bool(torch.isnan(effective_sample_size(torch.ones(4, 10))))


def test_diagnostics_agree_with_arviz() -> None:
    """Where arviz is installed, its plain split R-hat and mean ESS are near ours."""
    arviz = pytest.importorskip("arviz")
    draws = autoregression(4, 1000, 0.7)
    assert float(split_r_hat(draws)) == pytest.approx(float(arviz.rhat(draws.numpy(), method="split")), abs=1e-3)
    assert float(effective_sample_size(draws)) == pytest.approx(float(arviz.ess(draws.numpy(), method="mean")), rel=0.1)


def test_gibbs_of_another_kernel() -> None:
    """The chain sampler takes any prior with a transition, not Boltzmann machines only."""
    prior = Neural(network=MLP(hidden=(4,)), base=1.0)
    assert drawn(Gibbs(steps=5), 3, prior).shape == (3, 2)
