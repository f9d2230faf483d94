"""Annealed importance sampling against exact normalisers, and its interval's coverage."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genframe import Categorical, ModelSpec, Real, Space, Split, compose, generator_for
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe.testing import part
from genframe.testing.drawing import every_value
from genframe_energy import ContrastiveDivergence, LogLikelihood, Rbm
from genframe_energy.annealing import Estimate, LogZ, annealed_log_z, betas_of, student_quantile
from genframe_energy.rbm import RestrictedBoltzmannMachine

BITS, CLASSES, REALS = Real((8,), 0, 1, levels=2), Categorical((4,), 3), Real((2,))


def machine_of(space: Space, hidden: int, seed: int, scale: float = 1.0) -> RestrictedBoltzmannMachine:
    """Return a machine with random parameters."""
    machine = RestrictedBoltzmannMachine(space, hidden)
    generator = generator_for("cpu", seed)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return machine


def model_draws(machine: RestrictedBoltzmannMachine, space: Space, n: int, seed: int) -> Tensor:
    """Return exact draws from a machine whose codes can be counted."""
    values = every_value(space)
    assert values is not None
    share = (-machine.energy(values)).detach().softmax(0)
    return values[torch.multinomial(share, n, replacement=True, generator=generator_for("cpu", seed, 1))]


def trial(seed: int, space: Space = BITS, runs: int = 50, steps: int = 50) -> tuple[LogZ, float]:
    """Return an estimate for a random machine and the exact value by a sum over all codes."""
    machine = machine_of(space, 6, seed)
    values = every_value(space)
    assert values is not None
    path = machine.annealing_path(model_draws(machine, space, 200, seed))
    estimate = annealed_log_z(
        path, betas_of([(steps, 1.0)]), runs, model_draws(machine, space, runs, seed), generator_for("cpu", seed, 2)
    )
    return estimate, float((-machine.energy(values)).detach().double().logsumexp(0))


@pytest.mark.parametrize("space", [BITS, CLASSES])
def test_enumeration_over_hidden_units_is_that_over_codes(space: Space) -> None:
    """Both ways of summing the joint distribution give one log Z."""
    machine, values = machine_of(space, 6, 0), every_value(space)
    assert values is not None
    exact = machine.annealing_path(values).log_z()
    assert exact == pytest.approx(float((-machine.energy(values)).detach().double().logsumexp(0)), abs=1e-5)


def test_enumeration_of_gaussian_units_is_the_integral() -> None:
    """With Gaussian units, log Z is the logarithm of the integral of exp(-F) over the plane."""
    machine = machine_of(REALS, 5, 1)
    axis = torch.linspace(-14, 14, 561)
    points = torch.cartesian_prod(axis, axis)
    integral = float((-machine.energy(points)).detach().double().logsumexp(0)) + 2 * math.log(float(axis[1] - axis[0]))
    assert machine.annealing_path(torch.randn(50, 2)).log_z() == pytest.approx(integral, abs=1e-4)


def coverage(trials: int) -> tuple[int, int, float]:
    """Return how many intervals hold the exact value, how many of the forward estimate alone do, and their mean width."""
    held = alone = 0
    width = 0.0
    for seed in range(trials):
        estimate, exact = trial(seed)
        assert estimate.forward is not None
        held += estimate.low <= exact <= estimate.high
        alone += abs(estimate.nats - exact) <= estimate.forward.margin
        width += (estimate.high - estimate.low) / trials
    return held, alone, width


def test_interval_holds_the_exact_value() -> None:
    """The 95 % interval holds log Z in at least 19 of 20 machines, and is no wider than a tenth of a nat."""
    held, alone, width = coverage(20)
    assert held >= 19
    assert alone >= 17
    assert width < 0.1


@pytest.mark.slow
def test_interval_holds_the_exact_value_in_95_of_100_trials() -> None:
    """The 95 % interval holds log Z in at least 95 of 100 machines, and is no wider than a tenth of a nat."""
    held, alone, width = coverage(100)
    assert held >= 95
    assert alone >= 89
    assert width < 0.1


@pytest.mark.parametrize("space", [CLASSES, REALS])
def test_softmax_and_gaussian_units_are_annealed(space: Space) -> None:
    """Forward runs of a few hundred temperatures find log Z of the other kinds of units."""
    machine = machine_of(space, 5, 3)
    generator = generator_for("cpu", 0)
    samples = machine.sample(200, generator=generator)
    path = machine.annealing_path(samples)
    exact = path.log_z()
    assert exact is not None
    estimate = annealed_log_z(path, betas_of([(300, 1.0)]), 200, samples, generator)
    assert estimate.low <= exact <= estimate.high
    assert estimate.high - estimate.low < 0.3


def test_estimate_of_weights_is_the_delta_method() -> None:
    """The error of the logarithm of a mean is the relative error of the mean."""
    weights = torch.rand(40, dtype=torch.float64, generator=generator_for("cpu", 0)) + 0.5
    found = Estimate.of(weights.log() + 300)
    assert found.nats == pytest.approx(math.log(float(weights.mean())) + 300)
    assert found.standard_error == pytest.approx(float(weights.std()) / math.sqrt(40) / float(weights.mean()))


@pytest.mark.parametrize(("degrees", "quantile"), [(19, 2.093024), (49, 2.009575), (99, 1.984217)])
def test_student_quantile(degrees: int, quantile: float) -> None:
    """The 97.5 % quantiles are those of printed tables."""
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, abs=2e-4)


def test_betas_follow_the_schedule() -> None:
    """A schedule of (steps, end) pairs rises in equal steps within each, from 0 to 1."""
    assert betas_of([(2, 0.5), (1, 1.0)]) == [0.0, 0.25, 0.5, 1.0]
    assert len(betas_of(LogLikelihood().betas)) == 14_501


def split_of(x: Tensor) -> Split:
    """Return a split of ready data."""
    return Split("test", x)


@pytest.mark.parametrize("hidden", [6, 21])
def test_log_likelihood_is_that_of_the_enumerated_model(hidden: int) -> None:
    """The metric's figure is the exact mean of log p(x); exact up to 20 hidden units, within its interval beyond."""
    prior = Rbm(hidden=hidden)
    spec = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=prior, loss=ContrastiveDivergence())
    model = compose(spec, BITS)
    machine = machine_of(BITS, hidden, 4, 0.5)
    model.prior.load_state_dict(machine.state_dict())
    data, values = split_of(model_draws(machine, BITS, 300, 0)), every_value(BITS)
    assert values is not None
    log_z = float((-machine.energy(values)).detach().double().logsumexp(0))
    exact = -float(machine.energy(data.stored).detach().double().mean()) - log_z
    metric = part(LogLikelihood(samples=50, betas=((100, 1.0),), sweeps=50))
    results = {result.name: result for result in metric.measure(model, data, train=data, seed=0)}
    if hidden <= 20:
        assert results["log_likelihood"].value == pytest.approx(exact, abs=1e-4)
        assert results["log_z"].standard_error is None
    else:
        assert results["log_likelihood"].value == pytest.approx(exact, abs=0.1)
        assert "95 % interval" in results["log_likelihood"].note
        assert results["log_z_reverse"].value == pytest.approx(log_z, abs=0.1)
