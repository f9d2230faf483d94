"""Probabilities: they sum to one, and draws follow them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch

from genframe import Categorical, ModelSpec, PriorSpec, Real, Space, compose, generator_for
from genframe.core import IdentityDecoder, IdentityEncoder, NegativeLogLikelihood
from genframe_autoregressive import Made, PixelCNN, PixelRNN, Transformer
from genframe_autoregressive.alphabet import Alphabet
from genframe_autoregressive.logistic import log_mass
from genframe_autoregressive.sequence import AutoregressivePrior

Build = Callable[..., AutoregressivePrior]
SMALL = {"channels": 6, "first_kernel": 3}
MADE, TRANSFORMER = Made(hidden=(16,)), Transformer(dim=8, depth=1, heads=2)
CNN, MIXTURE, RNN = PixelCNN(layers=2, **SMALL), PixelCNN(layers=2, mixture=2, **SMALL), PixelRNN(layers=1, **SMALL)
BITS, COLOUR, CLASSES = Real((1, 2, 4), 0, 1, levels=2), Real((3, 1, 2), -1, 1, levels=3), Categorical((2, 3), 3)
TINY = [
    *((spec, BITS) for spec in (MADE, TRANSFORMER, CNN, MIXTURE, RNN)),
    *((spec, COLOUR) for spec in (MADE, TRANSFORMER, CNN, MIXTURE, RNN)),
    *((spec, CLASSES) for spec in (MADE, TRANSFORMER, CNN, RNN)),
]
NAMES = [f"{spec.type.partition('/')[2]}{'-mixture' * (spec is MIXTURE)}-{space}" for spec, space in TINY]


@pytest.mark.parametrize(("spec", "space"), TINY, ids=NAMES)
def test_probabilities_sum_to_one_and_draws_have_the_entropy(build: Build, spec: PriorSpec, space: Space) -> None:
    """Over all values of a tiny space; minus the mean log-probability of draws is the entropy within 5 standard errors."""
    prior = build(spec, space)
    alphabet = Alphabet(space)
    everything = torch.tensor([*itertools.product(range(alphabet.size), repeat=alphabet.length)])
    with torch.no_grad():
        log_prob = prior.log_prob(alphabet.code(everything)).double()
        assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-5)
        entropy = -(log_prob.exp() * log_prob).sum()
        assert entropy < 0.99 * alphabet.length * math.log(alphabet.size)  # not the uniform distribution
        found = -prior.log_prob(prior.sample(4000, None, generator_for("cpu", 0))).double()
    assert (found.mean() - entropy).abs() < 5 * found.std() / math.sqrt(len(found))


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_a_discretised_logistic_is_the_integral_of_its_density(levels: int) -> None:
    """Each bin's mass is the density integrated over it, the outer bins' over the rest of the line; together they are one."""
    location = torch.tensor([-1.7, -0.3, 0.0, 0.62, 1.2], dtype=torch.float64)
    log_scale = torch.tensor([-5.0, -2.0, 0.5, -3.0, -1.0], dtype=torch.float64)
    unit = torch.linspace(-1, 1, levels, dtype=torch.float64)[:, None]
    mass = log_mass(unit, location, log_scale, levels).exp()
    torch.testing.assert_close(mass.sum(0), torch.ones(5, dtype=torch.float64), atol=1e-12, rtol=0)
    edges = torch.cat((torch.tensor([-400.0]).double(), (unit[:-1, 0] + unit[1:, 0]) / 2, torch.tensor([400.0]).double()))
    for column, (mean, scale) in enumerate(zip(location, log_scale.exp(), strict=True)):
        quantile = torch.logspace(-12, math.log10(0.5), 40_000, dtype=torch.float64)
        grid = mean + scale * torch.logit(torch.cat((quantile, 1 - quantile.flip(0)[1:])))
        grid = torch.cat((grid, edges)).sort().values
        z = (grid - mean) / scale
        density = torch.sigmoid(z) * torch.sigmoid(-z) / scale
        integral = torch.cat((torch.zeros(1).double(), torch.cumulative_trapezoid(density, grid)))
        places = torch.searchsorted(grid, edges)
        torch.testing.assert_close(integral[places].diff(), mass[:, column], atol=1e-6, rtol=0)


def test_far_bins_of_a_narrow_logistic_keep_their_logarithm() -> None:
    """Where float32's cumulative probabilities are equal, the log-mass is still that of the exponential tail."""
    log_scale = torch.tensor(-5.0)
    found = log_mass(torch.tensor(0.5), torch.tensor(-0.8), log_scale, 256)
    scale, half = math.exp(-5), 1 / 255
    expected = -(0.5 - half + 0.8) / scale + math.log1p(-math.exp(-2 * half / scale))
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("space", [Real((1, 3, 3), -1, 1, levels=5), Categorical((3, 3), 5)])
def test_bits_per_dimension_are_of_probability(space: Space) -> None:
    """A model that starts uniform over K values needs log2 K bits a dimension, whatever the values are."""
    parts = {"encoder": IdentityEncoder(), "decoder": IdentityDecoder(), "loss": NegativeLogLikelihood()}
    model = compose(ModelSpec(prior=PixelCNN(channels=4, layers=1), **parts), space)
    assert model.composition.density == "exact"
    assert model.composition.mass
    assert model.composition.sampling == "sequential"
    x = model.sample(4).x
    assert model.log_prob(x).bits_per_dim == pytest.approx(math.log2(5), rel=1e-6)
