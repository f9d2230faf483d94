"""Distributions against torch.distributions and direct summation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch import distributions as td

from genframe import Real
from genframe_vae.distributions import (
    BernoulliDistribution,
    CategoricalDistribution,
    DiagonalNormal,
    DiscretisedLogistic,
    FullNormal,
    NormalDistribution,
    scale_tril,
)


def randn(*shape: int) -> Tensor:
    """Return float64 noise that depends on the shape only."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_a_diagonal_normal_is_that_of_torch() -> None:
    """Log-density, entropy, mean and variance of a spatial diagonal normal are torch.distributions' own."""
    mean, log_variance, value = randn(3, 2, 4), randn(3, 2, 4) + 1, randn(3, 2, 4) * 2
    ours, reference = DiagonalNormal(mean, log_variance), td.Independent(td.Normal(mean, (log_variance / 2).exp()), 2)
    assert torch.allclose(ours.log_prob(value), reference.log_prob(value))
    assert torch.allclose(ours.entropy(), reference.entropy())
    assert torch.allclose(ours.variance, reference.variance)


def test_a_full_normal_is_that_of_torch() -> None:
    """Log-density, entropy and marginal variance of a full normal are torch.distributions' own."""
    mean, value = randn(3, 4), randn(3, 4) + 1
    factor = scale_tril(randn(3, 4) * 0.3, randn(3, 6))
    ours, reference = FullNormal(mean, factor), td.MultivariateNormal(mean, scale_tril=factor)
    assert torch.allclose(ours.log_prob(value), reference.log_prob(value))
    assert torch.allclose(ours.entropy(), reference.entropy())
    assert torch.allclose(ours.variance, reference.variance)


def test_draws_of_a_full_normal_have_its_covariance() -> None:
    """The empirical covariance of 40,000 draws is L Lᵀ within three per cent of the largest entry."""
    factor = scale_tril(torch.tensor([[0.2, -0.3, 0.1]]), torch.tensor([[0.5, -0.7, 0.4]]))
    drawn = FullNormal(torch.zeros(1, 3), factor).expand(40_000).rsample(torch.Generator().manual_seed(1))
    expected = (factor @ factor.mT)[0]
    assert (torch.cov(drawn.T) - expected).abs().max() < 0.03 * expected.max()


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_expand_puts_the_repeats_of_an_example_next_to_each_other(kind: str) -> None:
    """expand(3) of a batch of two gives the batch a, a, a, b, b, b."""
    mean = randn(2, 4)
    q = DiagonalNormal(mean, randn(2, 4)) if kind == "diagonal" else FullNormal(mean, scale_tril(randn(2, 4), randn(2, 6)))
    assert torch.equal(q.expand(3).mean, mean[[0, 0, 0, 1, 1, 1]])
    assert torch.equal(q.expand(3).variance, q.variance[[0, 0, 0, 1, 1, 1]])


def test_a_likelihood_normal_broadcasts_its_variance() -> None:
    """A scalar log-variance gives torch.distributions' log-density with the whole constant."""
    mean, value, sigma = randn(3, 1, 5), randn(3, 1, 5) + 1, 0.3
    ours = NormalDistribution(mean, torch.tensor(2 * math.log(sigma), dtype=torch.float64))
    assert torch.allclose(ours.log_prob(value), td.Normal(mean, sigma).log_prob(value).flatten(1).sum(1))


def test_bernoulli_is_that_of_torch() -> None:
    """Log-probability of bits is torch.distributions', and finite for logits of ±200."""
    logits = torch.cat([randn(3, 6), torch.tensor([[200.0, -200.0] * 3], dtype=torch.float64)])
    value = (randn(4, 6) > 0).double()
    reference = td.Bernoulli(logits=logits).log_prob(value).sum(1)
    assert torch.allclose(BernoulliDistribution(logits).log_prob(value), reference)
    assert reference.isfinite().all()


def test_grey_cross_entropy_is_the_expected_log_probability_of_bits() -> None:
    """For grey values, log_prob is the average over all bit vectors, weighted by the grey values as rates."""
    logits, grey = randn(1, 3), torch.tensor([[0.2, 0.7, 0.5]], dtype=torch.float64)
    bits = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    odds = td.Bernoulli(grey).log_prob(bits).sum(1).exp()
    expected = (odds * BernoulliDistribution(logits.expand(8, 3)).log_prob(bits)).sum()
    assert torch.allclose(BernoulliDistribution(logits).log_prob(grey), expected)


def grid_values(grid: Real) -> Tensor:
    """Return all values of a grid."""
    assert grid.low is not None
    assert grid.high is not None
    assert grid.levels is not None
    return torch.linspace(grid.low, grid.high, grid.levels)


@pytest.mark.parametrize("location", [-30.0, -1.0, -0.999, 0.003, 1.0, 1e4])
@pytest.mark.parametrize("log_scale", [-9.0, -2.0, 0.0, 10.0])
@pytest.mark.parametrize("grid", [Real((1,), 0, 1, 2), Real((1,), 0, 255, 256), Real((1,), -1, 1, 17)], ids=str)
def test_a_discretised_logistic_sums_to_one(location: float, log_scale: float, grid: Real) -> None:
    """In float32 the mass of all levels adds up to 1 and gradients are finite, also for extreme parameters."""
    values = grid_values(grid).unsqueeze(1)
    parameters = torch.tensor([location, log_scale], requires_grad=True)
    expanded = parameters.expand(len(values), 2)
    log_mass = DiscretisedLogistic(expanded[:, :1], expanded[:, 1:], grid).log_prob(values)
    assert log_mass.isfinite().all()
    assert float(log_mass.detach().exp().sum()) == pytest.approx(1, abs=2e-3)  # float32 locations of 1e4 round by 1e-3
    (gradient,) = torch.autograd.grad(log_mass.sum(), parameters)
    assert gradient.isfinite().all()


def test_a_discretised_logistic_is_the_difference_of_its_cdf() -> None:
    """Inner bins have the mass sigmoid(upper) - sigmoid(lower), the outer ones reach to infinity (eq. 2)."""
    grid, location, scale = Real((1,), 0, 4, 5), 0.1, 0.4
    edges = torch.tensor([-math.inf, -0.75, -0.25, 0.25, 0.75, math.inf], dtype=torch.float64)
    expected = torch.sigmoid((edges - location) / scale).diff().log()
    constant = torch.full((5, 1), location, dtype=torch.float64)
    ours = DiscretisedLogistic(constant, torch.full_like(constant, math.log(scale)), grid)
    assert torch.allclose(ours.log_prob(grid_values(grid).double().unsqueeze(1)), expected)


def test_the_mean_of_a_discretised_logistic_is_exact() -> None:
    """The mean is the sum of all grid values by their mass, and draws agree with it and lie on the grid."""
    grid = Real((1,), -2, 6, 9)
    values = grid_values(grid)
    one = DiscretisedLogistic(torch.tensor([[0.4]]), torch.tensor([[-1.0]]), grid)
    each = DiscretisedLogistic(torch.full((9, 1), 0.4), torch.tensor(-1.0), grid)
    expected = float((each.log_prob(values.unsqueeze(1)).exp() * values).sum())
    assert float(one.mean) == pytest.approx(expected, rel=1e-5)
    drawn = DiscretisedLogistic(torch.full((20_000, 1), 0.4), torch.tensor(-1.0), grid).rsample(
        torch.Generator().manual_seed(0)
    )
    assert set(drawn.unique().tolist()) <= set(values.tolist())
    assert float(drawn.mean()) == pytest.approx(expected, abs=0.05)


def test_categorical_is_that_of_torch() -> None:
    """Log-probability of classes is torch.distributions', the mode stands for the mean, draws follow the odds."""
    logits = randn(2, 5, 3)
    value = torch.tensor([[0, 4, 2], [3, 3, 1]])
    ours, reference = CategoricalDistribution(logits), td.Categorical(logits=logits.movedim(1, -1))
    assert torch.allclose(ours.log_prob(value), reference.log_prob(value).sum(1))
    assert torch.equal(ours.mean, reference.mode)
    drawn = CategoricalDistribution(logits[:1].expand(20_000, 5, 3)).rsample(torch.Generator().manual_seed(0))
    assert torch.allclose((drawn == 2).double().mean(0), reference.probs[0, :, 2], atol=0.02)


def test_categorical_of_a_grid_speaks_in_grid_values() -> None:
    """With a grid, values are looked up as levels, the mean is the expectation and draws are grid values."""
    grid, logits = Real((3,), -1, 1, 5), randn(2, 5, 3)
    ours, classes = CategoricalDistribution(logits, grid), CategoricalDistribution(logits)
    index = torch.tensor([[0, 4, 2], [3, 3, 1]])
    assert torch.allclose(ours.log_prob(grid_values(grid)[index]), classes.log_prob(index))
    expected = (logits.softmax(1) * grid_values(grid).double().view(5, 1)).sum(1)
    assert torch.allclose(ours.mean, expected)
    assert set(ours.rsample(torch.Generator().manual_seed(0)).unique().tolist()) <= set(grid_values(grid).tolist())
