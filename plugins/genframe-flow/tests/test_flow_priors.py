"""Priors of flows: densities, draws and temperatures by closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genframe import Context, Encoder, EncoderSpec, ModelSpec, Real, SpecError, check, compose, generator_for
from genframe.testing import part
from genframe_flow import FlowSequence, GaussianPrior, LearnedGaussian, LogisticPrior, RealNvp, Scaling
from genframe_flow.encoder import level_sizes
from genframe_nets import IsotropicDecoder

CODE = Real((3,))


class Levels(Encoder):
    """Stands for a multi-scale flow of levels of one and of two dimensions."""

    level_sizes = (1, 2)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return ``x``."""
        return x


def logistic(shape: tuple[int, ...] = (3,)) -> LogisticPrior:
    """Build the logistic prior."""
    return LogisticPrior(shape)


def gaussian(encoder: Encoder | None = None, **fields: Any) -> GaussianPrior:
    """Build the Gaussian prior."""
    prior = part(LearnedGaussian(**fields), code=CODE, encoder=encoder)
    assert isinstance(prior, GaussianPrior)
    return prior


def test_the_logistic_density_is_that_of_nice() -> None:
    """log p = -log(1 + exp(z)) - log(1 + exp(-z)) for each dimension: Dinh et al. 2014, eq. 15."""
    z = np.array([[-3.0, 0.0, 2.5]])
    expected = (-np.log1p(np.exp(z)) - np.log1p(np.exp(-z))).sum()
    assert logistic().log_prob(torch.tensor(z)).item() == pytest.approx(expected, abs=1e-12)


def test_the_logistic_density_is_finite_far_out() -> None:
    """Its tails are exponential: at ±1e4 the log-density is -1e4, and so is its gradient ∓1."""
    z = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    log_prob = logistic((1,)).log_prob(z)
    (gradient,) = torch.autograd.grad(log_prob.sum(), z)
    assert log_prob.tolist() == [-1e4, -1e4]
    assert gradient.tolist() == [[-1.0], [1.0]]


def test_logistic_draws_have_its_distribution() -> None:
    """The greatest distance of the distribution functions of 100 000 draws is below 1.63 / sqrt(n) (Kolmogorov, 1 %)."""
    drawn = logistic((1,)).sample(100_000, None, generator_for("cpu", 0)).double().flatten().sort().values
    empirical = torch.arange(1, len(drawn) + 1) / len(drawn)
    assert (torch.sigmoid(drawn) - empirical).abs().max() < 1.63 / math.sqrt(len(drawn))
    assert torch.isfinite(drawn).all()


def test_logistic_draws_are_finite_where_the_noise_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.rand gives 0 once in 2^24 draws, of which the logit is infinite."""
    ends = torch.tensor([[0.0, 1 - 2.0**-24, 0.5]])
    monkeypatch.setattr(torch, "rand", lambda *shape, **options: ends.clone())
    assert logistic().sample(1)[0].tolist() == pytest.approx([-26 * math.log(2), 24 * math.log(2), 0.0], abs=1e-4)


def test_temperature_scales_the_logistic() -> None:
    """One for all dimensions, or one for each."""
    prior = logistic()
    plain = prior.sample(4, None, generator_for("cpu", 0))
    warm = prior.sample_at(0.5, 4, None, generator_for("cpu", 0))
    each = prior.sample_at(torch.tensor([1.0, 0.5, 2.0]), 4, None, generator_for("cpu", 0))
    torch.testing.assert_close(warm, 0.5 * plain)
    torch.testing.assert_close(each, plain * torch.tensor([1.0, 0.5, 2.0]))


def test_a_learned_gaussian_is_normal() -> None:
    """Mean and scale of each dimension, against torch's own normal."""
    prior = gaussian()
    with torch.no_grad():
        prior.mean.copy_(torch.tensor([1.0, -2.0, 0.5]))
        prior.log_scale.copy_(torch.tensor([0.3, -1.0, 0.0]))
    code = torch.randn(5, 3)
    torch.testing.assert_close(
        prior.log_prob(code), torch.distributions.Normal(prior.mean, prior.log_scale.exp()).log_prob(code).sum(1)
    )
    cold = prior.sample_at(1e-6, 2, None, generator_for("cpu", 0))
    torch.testing.assert_close(cold, prior.mean.expand(2, 3), rtol=0, atol=1e-5)


def test_a_gaussian_for_each_level_asks_the_encoder() -> None:
    """Dimensions of one level share mean and scale; of an encoder without levels all do."""
    prior = gaussian(Levels(), per="level")
    with torch.no_grad():
        prior.mean.copy_(torch.tensor([1.0, -2.0]))
        prior.log_scale.copy_(torch.tensor([0.3, -1.0]))
    normal = torch.distributions.Normal(torch.tensor([1.0, -2.0, -2.0]), torch.tensor([0.3, -1.0, -1.0]).exp())
    code = torch.randn(5, 3)
    torch.testing.assert_close(prior.log_prob(code), normal.log_prob(code).sum(1))
    drawn = prior.sample(20_000, None, generator_for("cpu", 0)).detach()
    torch.testing.assert_close(drawn.mean(0), normal.mean, rtol=0, atol=0.05)
    torch.testing.assert_close(drawn.std(0), normal.stddev, rtol=0.05, atol=0)
    assert gaussian(per="level").mean.shape == (1,)


@pytest.mark.parametrize("within", ["alone", "in a sequence"])
def test_levels_are_those_of_a_multi_scale_flow(within: str) -> None:
    """What leaves each scale of a RealNVP of images has a Gaussian of its own, as its spec's ``levels`` says."""
    images = Real((2, 4, 4))
    network = IsotropicDecoder(channels=4)
    spec: EncoderSpec = RealNvp(scales=2, network=network)
    spec = spec if within == "alone" else FlowSequence(flows=(Scaling(scale=2.0), spec))
    assert len(spec.levels(images)) == 2
    assert level_sizes(part(spec, data=images), 32) == spec.levels(images)


def test_maximum_likelihood_finds_mean_and_deviation() -> None:
    """Where the gradient of the likelihood vanishes, the parameters are the data's moments."""
    code = torch.randn(50, 3) * 3 + 1
    prior = gaussian()
    with torch.no_grad():
        prior.mean.copy_(code.mean(0))
        prior.log_scale.copy_(code.std(0, correction=0).log())
    gradients = torch.autograd.grad(prior.log_prob(code).mean(), list(prior.parameters()))
    for gradient in gradients:
        torch.testing.assert_close(gradient, torch.zeros(3), rtol=0, atol=1e-5)


@pytest.mark.parametrize("prior", ["flow/logistic", "flow/gaussian"])
def test_a_flow_takes_them_and_its_sampler_a_temperature(prior: str) -> None:
    """Both have exact density, and core/ancestral's temperature reaches them."""
    spec = {
        "encoder": {"type": "flow/scaling", "scale": 2.0},
        "decoder": "core/inverse",
        "prior": prior,
        "loss": "core/nll",
        "sampler": {"type": "core/ancestral", "temperature": 0.1},
    }
    model = compose(ModelSpec.model_validate(spec), CODE)
    assert model.composition.density == "exact"
    assert model.sample(256).x.std() < 0.12


@pytest.mark.parametrize("prior", ["flow/logistic", "flow/gaussian"])
def test_codes_on_levels_are_refused(prior: str) -> None:
    """A density of values on a grid has no meaning."""
    spec = {"encoder": "core/identity", "decoder": "core/identity", "prior": prior, "loss": "core/nll"}
    with pytest.raises(SpecError) as error:
        check(ModelSpec.model_validate(spec), Real((3,), 0, 1, 17))
    assert str(error.value) == (
        f"model.prior: {prior} needs continuous values, found Real(3, 0 to 1, 17 levels); set dequantise: true in the data"
    )


def test_the_base_of_a_logistic_value_is_the_normal_of_its_quantile() -> None:
    """scipy's quantiles, far into both tails, and back again."""
    stats = pytest.importorskip("scipy.stats")
    code = torch.tensor([-80.0, -20.0, -1.5, 0.0, 0.3, 20.0, 80.0], dtype=torch.float64)[:, None]
    prior = LogisticPrior(Real((1,)))
    base = prior.to_base(code)
    lower = torch.from_numpy(stats.norm.isf(stats.logistic.sf(code.abs().numpy()))) * code.sign()
    torch.testing.assert_close(base, lower, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(prior.from_base(base), code, atol=1e-9, rtol=1e-9)


def test_the_base_of_learned_normals_is_standard() -> None:
    """Draws less their means, in units of their scales, and back again."""
    prior = gaussian()
    with torch.no_grad():
        prior.mean.copy_(torch.tensor([1.0, -2.0, 0.0]))
        prior.log_scale.copy_(torch.tensor([0.5, -1.0, 2.0]))
        code = prior.sample(20_000, generator=generator_for("cpu", 0))
        base = prior.to_base(code)
        torch.testing.assert_close(base.mean(0), torch.zeros(3), atol=0.04, rtol=0)
        torch.testing.assert_close(base.T.cov(), torch.eye(3), atol=0.05, rtol=0)
        torch.testing.assert_close(prior.from_base(base), code, atol=1e-5, rtol=1e-5)
