"""Encoders, decoders and the VampPrior as parts of models."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

from genframe import Categorical, Encoder, EncoderSpec, Model, ModelSpec, Real, Space, compose, generator_for
from genframe.testing import part
from genframe.types import Likelihood, Posterior
from genframe_nets import MLP, Conv, ConvDecoder, MLPDecoder, MLPTied
from genframe_vae import (
    Bernoulli,
    CategoricalLikelihood,
    Corrupted,
    Discretised,
    Elbo,
    FullGaussian,
    Gaussian,
    NormalLikelihood,
    Reconstruction,
    Vamp,
)
from genframe_vae.corruption import corruption
from genframe_vae.distributions import DiagonalNormal
from genframe_vae.encoders import CorruptedPosterior, GaussianEncoder
from genframe_vae.priors import VampPrior

BITS = Real((1, 4, 4), 0, 1, 2)
GREY = Real((1, 4, 4), -1, 1, 16)
SMALL, SMALL_DECODER = MLP(hidden=(8,)), MLPDecoder(hidden=(8,))


def encoder_of(spec: EncoderSpec, data: Space) -> Encoder:
    """Build an encoder."""
    return part(spec, data=data)


def test_spatial_features_give_a_spatial_posterior() -> None:
    """Over convolutional features of 2×2 the latent is (dim, 2, 2), as the spec says."""
    spec, data = Gaussian(dim=3, network=Conv(channels=(4,))), Real((1, 4, 4), 0, 1)
    encoder = encoder_of(spec, data)
    assert isinstance(encoder, Posterior)
    q = encoder.posterior(torch.rand(5, 1, 4, 4))
    assert q.mean.shape == q.rsample().shape == (5, *spec.latent_space(data).shape) == (5, 3, 2, 2)
    assert q.entropy().shape == (5,)


@pytest.mark.parametrize(
    "spec", [Gaussian(dim=3, network=SMALL), FullGaussian(dim=3, network=SMALL)], ids=lambda spec: spec.type
)
def test_extreme_data_leave_the_posterior_finite(spec: Gaussian | FullGaussian) -> None:
    """Data of 1e6 drive the head far out, yet samples, density, entropy and gradients stay finite."""
    torch.manual_seed(0)
    encoder = encoder_of(spec, Real((6,)))
    assert isinstance(encoder, Posterior)
    q = encoder.posterior(torch.randn(4, 6) * 1e6)
    latent = q.rsample()
    total = (q.log_prob(latent) + q.entropy()).sum()
    assert total.isfinite()
    total.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        (Bernoulli(network=SMALL_DECODER), BITS),
        (Bernoulli(network=ConvDecoder(channels=(4,))), BITS),
        (NormalLikelihood(network=SMALL_DECODER), GREY),
        (NormalLikelihood(network=SMALL_DECODER, variance="learned"), Real((5,))),
        (NormalLikelihood(network=ConvDecoder(channels=(4,)), variance="per_pixel"), Real((3, 4, 4), 0, 1)),
        (Discretised(network=SMALL_DECODER), GREY),
        (Discretised(network=SMALL_DECODER, scale="shared"), GREY),
        (CategoricalLikelihood(network=SMALL_DECODER), GREY),
        (CategoricalLikelihood(network=SMALL_DECODER), Categorical((3, 2), 5)),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_a_likelihood_is_of_the_data_s_space(spec: Bernoulli, data: Space) -> None:
    """Draws and decoded data have the data's shape, type and bounds, and every parameter gets a gradient."""
    latent = Real((4,))
    spec.accepts(latent, data)
    decoder = part(spec, data=data, latent=latent)
    assert isinstance(decoder, Likelihood)
    z = torch.randn(6, 4, generator=generator_for("cpu", 0))
    p = decoder.likelihood(z)
    drawn, decoded = p.rsample(generator_for("cpu", 1)), decoder.decode(z)
    assert torch.equal(drawn, p.rsample(generator_for("cpu", 1)))
    assert drawn.shape == decoded.shape == (6, *data.shape)
    assert drawn.dtype == decoded.dtype == (torch.int64 if isinstance(data, Categorical) else torch.float32)
    if isinstance(data, Real) and data.low is not None and data.high is not None:
        assert data.low <= float(decoded.detach().min())
        assert float(decoded.detach().max()) <= data.high
    p.log_prob(drawn.detach()).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in decoder.parameters())


def test_the_fixed_variance_of_a_normal_is_sigma_squared() -> None:
    """`sigma` is a standard deviation: log_prob at the mean is -log(sigma sqrt(2 pi)) a value."""
    decoder = part(NormalLikelihood(sigma=0.5, network=SMALL_DECODER), data=Real((3,)), latent=Real((2,)))
    assert isinstance(decoder, Likelihood)
    p = decoder.likelihood(torch.zeros(1, 2))
    assert float(p.log_prob(p.mean).detach()) == pytest.approx(-3 * math.log(0.5 * math.sqrt(2 * math.pi)))
    assert not decoder.state_dict().keys() & {"log_variance"}  # fixed: belongs to the spec, not to the state


@pytest.mark.parametrize(
    ("kind", "expected"), [("masking", {0.0: 0.3}), ("salt_and_pepper", {0.0: 0.15, 1.0: 0.15})], ids=["masking", "salt"]
)
def test_corruption_hits_the_stated_fraction(kind: str, expected: dict[float, float]) -> None:
    """Of 100,000 values of one half, the stated fractions become the stated values and the rest stays."""
    torch.manual_seed(0)
    noisy = corruption(kind, 0.3, Real((10,), 0, 1))(torch.full((10_000, 10), 0.5))
    for value, fraction in {**expected, 0.5: 0.7}.items():
        assert float((noisy == value).double().mean()) == pytest.approx(fraction, abs=0.005)


def test_gaussian_corruption_has_the_stated_deviation() -> None:
    """The noise has mean 0 and standard deviation `amount`, and is not clipped."""
    torch.manual_seed(0)
    noisy = corruption("gaussian", 0.3, Real((10,), 0, 1))(torch.ones(10_000, 10))
    assert float(noisy.mean()) == pytest.approx(1, abs=0.005)
    assert float(noisy.std()) == pytest.approx(0.3, abs=0.005)


def test_masking_takes_the_bound_nearest_to_zero() -> None:
    """Data between 2 and 5 are masked to 2, data between -1 and 1 to 0."""
    ones = torch.full((1, 2), 3.0)
    assert torch.equal(corruption("masking", 1.0, Real((2,), 2, 5))(ones), torch.full((1, 2), 2.0))
    assert torch.equal(corruption("masking", 1.0, Real((2,), -1, 1))(ones), torch.zeros(1, 2))


def test_corruption_is_for_training_only() -> None:
    """In evaluation the wrapped encoder sees clean data; in training its posterior differs from call to call."""
    encoder = encoder_of(Corrupted(network=Gaussian(network=SMALL), amount=0.5), BITS)
    assert isinstance(encoder, Posterior)
    x = torch.ones(3, 1, 4, 4)
    assert not torch.equal(encoder.posterior(x).mean, encoder.posterior(x).mean)
    assert not torch.equal(encoder.encode(x), encoder.encode(x))
    encoder.eval()
    assert isinstance(encoder, CorruptedPosterior)
    clean = encoder.network.encode(x)
    assert torch.equal(encoder.posterior(x).mean, clean)
    assert torch.equal(encoder.encode(x), clean)


def test_corruption_passes_traits_on() -> None:
    """Round a posterior there is a posterior, round a plain network there is none, and a tied decoder finds its weights."""
    assert Posterior in Corrupted(network=Gaussian()).provides
    assert not isinstance(encoder_of(Corrupted(network=SMALL), BITS), Posterior)
    tied = ModelSpec(encoder=Corrupted(network=SMALL), decoder=MLPTied(), loss=Reconstruction())
    model = compose(tied, Real((16,), 0, 1))
    assert model.reconstruct(torch.rand(2, 16)).shape == (2, 16)
    assert len({id(parameter) for parameter in model.parameters()}) == len(list(model.parameters()))


def vamp_model(encoder: Gaussian | FullGaussian | Corrupted, condition: str | None = None) -> Model:
    """Return a VAE with a VampPrior."""
    decoder = Bernoulli(network=SMALL_DECODER)
    spec = ModelSpec.model_validate(
        {"encoder": encoder, "decoder": decoder, "prior": Vamp(components=3), "loss": Elbo(), "condition": condition}
    )
    return compose(spec, BITS, Categorical((), 2) if condition else None)


@pytest.mark.parametrize("encoder", [Gaussian(dim=2, network=SMALL), FullGaussian(dim=2, network=SMALL)], ids=lambda s: s.type)
def test_the_vamp_prior_is_the_mixture_of_posteriors(encoder: Gaussian | FullGaussian) -> None:
    """Its density is the mean of q(z|u_k) over the pseudo-inputs, which lie within the data's bounds."""
    model = vamp_model(encoder)
    assert isinstance(model.prior, VampPrior)
    inputs, z = model.prior.pseudo_inputs, torch.randn(5, 2)
    assert 0 <= inputs.min() <= inputs.max() <= 1
    assert isinstance(model.encoder, Posterior)
    each = [model.encoder.posterior(inputs[k : k + 1].expand(5, 1, 4, 4)).log_prob(z) for k in range(3)]
    assert torch.allclose(model.prior.log_prob(z), torch.stack(each).logsumexp(0) - math.log(3), rtol=1e-4, atol=1e-5)


def test_the_vamp_prior_owns_its_pseudo_inputs_only() -> None:
    """No parameter is registered twice, and a deep copy's prior refers to the copy's encoder."""
    model = vamp_model(Gaussian(dim=2, network=SMALL))
    assert [name for name, _ in model.prior.named_parameters()] == ["raw_inputs"]
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert len(names) == len({id(parameter) for parameter in model.parameters()})
    twin = copy.deepcopy(model)
    assert isinstance(model.prior, VampPrior)
    assert isinstance(twin.prior, VampPrior)
    assert isinstance(twin.encoder, GaussianEncoder)
    before = twin.prior.log_prob(torch.zeros(1, 2))
    with torch.no_grad():
        twin.encoder.head.get_parameter("bias").add_(3)
    assert not torch.equal(twin.prior.log_prob(torch.zeros(1, 2)), before)
    assert torch.equal(model.prior.log_prob(torch.zeros(1, 2)), before)


def test_the_vamp_prior_of_a_conditional_model_reads_the_condition() -> None:
    """Under each condition the density is the mixture of the posteriors under that condition."""
    model = vamp_model(Gaussian(dim=2, network=SMALL), "core/one_hot")
    context = model.context(torch.tensor([0, 1]))
    assert context is not None
    assert isinstance(model.encoder, Posterior)
    assert isinstance(model.prior, VampPrior)
    z, inputs = torch.randn(2, 2), model.prior.pseudo_inputs
    log_each = [model.encoder.posterior(inputs[k : k + 1].expand(2, 1, 4, 4), context).log_prob(z) for k in range(3)]
    expected = torch.stack(log_each).logsumexp(0) - math.log(3)
    assert torch.allclose(model.prior.log_prob(z, context), expected, rtol=1e-4, atol=1e-5)
    assert model.sample(3, torch.tensor([0, 1, 1])).x.shape == (3, 1, 4, 4)


def test_a_conditional_model_depends_on_its_condition() -> None:
    """Changing the label changes the posterior, the decoded example, the sample and the likelihood."""
    spec = ModelSpec.model_validate(
        {
            "encoder": Gaussian(dim=2, network=SMALL),
            "decoder": Bernoulli(network=SMALL_DECODER),
            "loss": Elbo(),
            "condition": "core/one_hot",
        }
    )
    model = compose(spec, BITS, Categorical((), 3))
    x, one, two = torch.ones(2, 1, 4, 4), torch.tensor([0, 0]), torch.tensor([2, 2])

    def all_outputs(label: Tensor) -> list[Tensor]:
        z = torch.zeros(2, 2)
        bound = model.log_prob(x, label, samples=3, generator=generator_for("cpu", 0)).nats
        return [model.encode(x, label), model.decode(z, label), model.sample(2, label).x, bound]

    assert all(not torch.allclose(first, second) for first, second in zip(all_outputs(one), all_outputs(two), strict=True))


class LinearGaussian(Encoder):
    """A fixed posterior N(a x, s²), wider than the true one."""

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return a x."""
        return 0.5 * x[:, :2]

    def posterior(self, x: Tensor, context: Tensor | None = None) -> DiagonalNormal:
        """Return q(z|x)."""
        mean = self.encode(x)
        return DiagonalNormal(mean, torch.full_like(mean, math.log(0.5)))


def test_importance_weighting_converges_from_below_to_the_closed_form() -> None:
    """For x = W z + noise, the bound rises with 1, 10, 100 and 1,000 samples to log N(x; 0, W Wᵀ + sigma² I) (pPCA)."""
    data, sigma = Real((3,)), 0.7
    spec = ModelSpec(
        encoder=Gaussian(dim=2, network=MLP(hidden=(), dim=2)),
        decoder=NormalLikelihood(sigma=sigma, network=MLPDecoder(hidden=())),
        loss=Elbo(),
    )
    model = compose(spec, data).double()
    model.encoder = LinearGaussian()
    weight = torch.tensor([[1.0, 0.2], [-0.5, 0.8], [0.3, 0.1]], dtype=torch.float64)
    linear = next(module for module in model.decoder.modules() if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.zero_()
    covariance = weight @ weight.T + sigma**2 * torch.eye(3, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance)
    noise = torch.randn(3000, 3, dtype=torch.float64, generator=generator_for("cpu", 7))
    x = noise @ exact.scale_tril.T
    with torch.no_grad():
        gaps = [
            float((exact.log_prob(x) - model.log_prob(x, samples=k, generator=generator_for("cpu", k)).nats).mean())
            for k in (1, 10, 100, 1000)
        ]
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] > -2e-3
    assert gaps[0] > 0.1
    assert gaps[3] < 5e-3
