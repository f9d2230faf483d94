"""The losses and penalties."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch import distributions as td

from genframe import Batch, LossSpec, Model, ModelSpec, PriorSpec, Real, SpecError, Unsupported, compose
from genframe.core import Normal
from genframe.types import Posterior
from genframe_nets import MLP, MLPDecoder
from genframe_vae import Bernoulli, Elbo, FullGaussian, Gaussian, GaussianMixture, Iwae, Reconstruction
from genframe_vae.distributions import FullNormal
from genframe_vae.penalties import jacobian_penalty, sparsity_penalty

BITS = Real((16,), 0, 1, 2)
SMALL, SMALL_DECODER = MLP(hidden=(8,)), MLPDecoder(hidden=(8,))


def vae(loss: LossSpec, prior: PriorSpec | None = None, *, full: bool = False) -> Model:
    """Return a small VAE over bits."""
    encoder = FullGaussian(dim=3, network=SMALL) if full else Gaussian(dim=3, network=SMALL)
    return compose(
        ModelSpec(encoder=encoder, decoder=Bernoulli(network=SMALL_DECODER), prior=prior or Normal(), loss=loss), BITS
    )


def batch(n: int = 32) -> Batch:
    """Return random bits."""
    return Batch((torch.rand(n, 16, generator=torch.Generator().manual_seed(n)) > 0.5).float())


@pytest.mark.parametrize("full", [False, True])
def test_the_rate_is_the_divergence_of_torch(full: bool) -> None:
    """Against N(0, I) the rate is torch.distributions' KL divergence, summed over dimensions, averaged over the batch."""
    model, data = vae(Elbo(), full=full), batch()
    assert isinstance(model.encoder, Posterior)
    q = model.encoder.posterior(data.x)
    covariance = q.factor @ q.factor.mT if isinstance(q, FullNormal) else torch.diag_embed(q.variance)
    normal = td.MultivariateNormal(torch.zeros(3), torch.eye(3))
    expected = td.kl_divergence(td.MultivariateNormal(q.mean, covariance), normal).mean()
    output = model.loss(model, data)
    assert torch.allclose(output.metrics["rate"], expected, rtol=1e-4)
    assert torch.allclose(output.total, output.metrics["rate"] + output.metrics["distortion"])
    assert torch.allclose(output.metrics["elbo"], -output.total)


def standard_mixture(model: Model) -> Model:
    """Make the model's one-component mixture N(0, I)."""
    for parameter in model.prior.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def test_the_rate_by_monte_carlo_is_that_in_closed_form() -> None:
    """A mixture of one standard normal has no closed form declared; 2,000 samples give the closed form's rate within 2 %."""
    torch.manual_seed(0)
    closed, sampled = vae(Elbo()), standard_mixture(vae(Elbo(samples=2000), GaussianMixture(components=1)))
    with torch.no_grad():
        rates = [float(model.loss(model, batch()).metrics["rate"]) for model in (closed, sampled)]
    assert rates[1] == pytest.approx(rates[0], rel=0.02)


def test_the_metrics_do_not_know_beta() -> None:
    """The total weighs the rate by beta; elbo, rate and distortion stay what they are."""
    model = vae(Elbo(beta=4.0))
    output = model.loss(model, batch())
    expected = output.metrics["distortion"] + 4 * output.metrics["rate"]
    assert torch.allclose(output.total, expected)
    assert torch.allclose(output.metrics["elbo"], -output.metrics["distortion"] - output.metrics["rate"])
    assert not any(value.requires_grad for value in output.metrics.values())


def weight_of(model: Model) -> float:
    """Return the weight of the rate in the model's next loss."""
    output = model.loss(model, batch())
    return float(((output.total - output.metrics["distortion"]) / output.metrics["rate"]).detach())


def test_beta_is_warmed_up_in_training_and_the_step_is_state() -> None:
    """Beta goes 0, 1/4, 1/2 ... over training batches, is whole in evaluation, and a reloaded model goes on where it was."""
    model = vae(Elbo(beta=2.0, anneal_steps=4))
    assert [weight_of(model) for _ in range(3)] == pytest.approx([0, 0.5, 1.0], abs=1e-4)
    model.eval()
    assert [weight_of(model) for _ in range(2)] == pytest.approx([2.0, 2.0], rel=1e-4)
    again = vae(Elbo(beta=2.0, anneal_steps=4))
    again.load_state_dict(model.state_dict())
    assert [weight_of(again) for _ in range(3)] == pytest.approx([1.5, 2.0, 2.0], rel=1e-4)
    assert not vae(Elbo()).loss.state_dict()


@pytest.mark.parametrize("free", [0.0, 1e-6, 50.0])
def test_free_bits_charge_a_least_rate(free: float) -> None:
    """The total charges max(rate, free bits × 3 dimensions), the metrics report the rate as it is."""
    model = vae(Elbo(free_bits=free))
    output = model.loss(model, batch())
    charged = max(float(output.metrics["rate"]), 3 * free)
    assert float(output.total.detach()) == pytest.approx(float(output.metrics["distortion"]) + charged, rel=1e-5)


def test_iwae_of_one_sample_is_the_sampled_elbo_and_more_are_tighter() -> None:
    """With k = 1 loss and elbo are the same number; the bound of 200 samples is above that of one."""
    torch.manual_seed(0)
    with torch.no_grad():
        one, many = (model.loss(model, batch(200)) for model in (vae(Iwae(samples=1)), vae(Iwae(samples=200))))
    assert float(one.metrics["iwae"]) == pytest.approx(float(one.metrics["elbo"]))
    assert float(one.total) == pytest.approx(-float(one.metrics["iwae"]))
    assert float(many.metrics["iwae"]) > float(many.metrics["elbo"])


@pytest.mark.parametrize("loss", [Elbo(), Elbo(samples=2, free_bits=0.01), Iwae(samples=3)], ids=str)
@pytest.mark.parametrize("prior", [Normal(), GaussianMixture(components=2)], ids=lambda prior: prior.type)
def test_gradients_reach_every_parameter(loss: LossSpec, prior: PriorSpec) -> None:
    """Encoder, decoder and prior all learn."""
    torch.manual_seed(0)
    model = vae(loss, prior)
    model.loss(model, batch()).total.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()] == []


def test_the_elbo_compiles_as_one_graph() -> None:
    """Nothing in the loss breaks torch's graph."""
    model, data = vae(Elbo(anneal_steps=3)), batch()

    def total(x: Tensor) -> Tensor:
        return model.loss(model, Batch(x)).total  # type: ignore[no-any-return]

    compiled = torch.compile(total, backend="eager", fullgraph=True)
    torch.manual_seed(0)
    expected = total(data.x)
    model.loss.load_state_dict({"step": torch.tensor(0)})
    torch.manual_seed(0)
    assert torch.equal(compiled(data.x), expected)


def autoencoder(loss: Reconstruction, data: Real = BITS) -> Model:
    """Return a small autoencoder."""
    return compose(ModelSpec(encoder=MLP(hidden=(8,), dim=3), decoder=SMALL_DECODER, loss=loss), data)


@pytest.mark.parametrize("error", ["squared", "absolute", "cross_entropy"])
def test_the_error_is_summed_over_dimensions_and_averaged_over_the_batch(error: str) -> None:
    """The total is the mean over the batch of each example's summed error."""
    model, data = autoencoder(Reconstruction.model_validate({"error": error})), batch()
    x, decoded = data.x, model.reconstruct(data.x)
    each = {
        "squared": (x - decoded) ** 2,
        "absolute": (x - decoded).abs(),
        "cross_entropy": -(x * decoded.log() + (1 - x) * (1 - decoded).log()),
    }[error]
    output = model.loss(model, data)
    assert torch.allclose(output.total, each.sum(1).mean())
    assert torch.equal(output.metrics["error"], output.total.detach())


def test_the_contraction_is_autograd_s_jacobian() -> None:
    """Exactly |d latent / d x|² summed, by autograd's own Jacobian of each example, and its gradient reaches the weights."""
    model, x = autoencoder(Reconstruction(contractive=0.1)), batch(5).x
    assert model.encoder is not None
    encode = model.encoder.encode
    jacobians = [torch.autograd.functional.jacobian(lambda row: encode(row.unsqueeze(0))[0], row) for row in x]
    latent, squared = jacobian_penalty(encode, x, probes=0)
    assert torch.allclose(squared, torch.stack([jacobian.square().sum() for jacobian in jacobians]), rtol=1e-4)
    assert torch.equal(latent, encode(x))
    output = model.loss(model, Batch(x))
    assert torch.allclose(output.total, output.metrics["error"] + 0.1 * output.metrics["contraction"])
    squared.sum().backward()
    first = next(model.encoder.parameters())
    assert first.grad is not None
    step = 1e-3 * first.grad / first.grad.norm()
    with torch.no_grad():
        expected = float((first.grad * step).sum())
        first.add_(step)
        change = float((jacobian_penalty(encode, x, probes=0)[1].sum() - squared.sum()).detach())
    assert change == pytest.approx(expected, rel=0.05)


def test_random_probes_estimate_the_contraction() -> None:
    """The mean of 4,000 random probes is the exact norm within 3 %, and works where gradients are off."""
    torch.manual_seed(0)
    model, x = autoencoder(Reconstruction()), batch(5).x
    assert model.encoder is not None
    with torch.no_grad():
        exact, estimate = (jacobian_penalty(model.encoder.encode, x, probes)[1] for probes in (0, 4000))
    assert torch.allclose(estimate, exact, rtol=0.03)


def test_sparsity_is_the_absolute_sum_or_the_divergence_of_rates() -> None:
    """Without target: the mean of summed absolute values. With one: the KL of two Bernoullis, unit by unit."""
    latent = torch.tensor([[0.2, -1.0], [0.4, 3.0]])
    assert float(sparsity_penalty(latent, Real((2,)), None)) == pytest.approx((1.2 + 3.4) / 2)
    rates = torch.sigmoid(latent).mean(0)
    expected = td.kl_divergence(td.Bernoulli(torch.tensor(0.1)), td.Bernoulli(rates)).sum()
    assert torch.allclose(sparsity_penalty(latent, Real((2,)), 0.1), expected)
    bounded = torch.tensor([[0.1, 0.3], [0.1, 0.5]])
    expected = td.kl_divergence(td.Bernoulli(torch.tensor(0.1)), td.Bernoulli(torch.tensor([0.1, 0.4]))).sum()
    assert torch.allclose(sparsity_penalty(bounded, Real((2,), 0, 1), 0.1), expected)


def test_sparsity_enters_the_total_with_its_weight() -> None:
    """The total is error + weight × sparsity."""
    model = autoencoder(Reconstruction(sparsity=0.5, target_rate=0.05))
    output = model.loss(model, batch())
    assert torch.allclose(output.total, output.metrics["error"] + 0.5 * output.metrics["sparsity"])
    assert math.isfinite(float(output.total.detach()))


def test_reconstruction_without_an_encoder_is_refused() -> None:
    """A model without an encoder cannot be trained to reconstruct."""
    spec = ModelSpec(decoder=SMALL_DECODER, prior=Normal(shape=(3,)), loss=Reconstruction())

    def train() -> None:
        model = compose(spec, BITS)
        model.loss(model, batch())

    with pytest.raises((SpecError, Unsupported), match="needs an encoder"):
        train()


def test_rate_may_be_measured_from_a_reference() -> None:
    """With a reference the model's prior has no part in the loss, and needs no density; the rate is that from the reference."""
    spec = {
        "encoder": {"type": "vae/gaussian", "dim": 2, "network": {"type": "nets/mlp", "hidden": [8]}},
        "decoder": {"type": "vae/normal", "network": {"type": "nets/mlp", "hidden": [8]}},
    }
    plain = compose(ModelSpec.model_validate(spec | {"loss": "vae/elbo"}), Real((3,)))
    flow = {"type": "core/model", "model": {"encoder": "flow/realnvp", "decoder": "core/inverse", "loss": "core/nll"}}
    loss = {"type": "vae/elbo", "reference": "core/normal"}
    later = compose(ModelSpec.model_validate(spec | {"loss": loss, "prior": flow}), Real((3,)))
    batch = Batch(torch.randn(6, 3))
    torch.manual_seed(0)
    expected = plain.loss(plain, batch)
    torch.manual_seed(0)
    found = later.loss(later, batch)
    torch.testing.assert_close(found.metrics["rate"], expected.metrics["rate"])
    found.total.backward()
    assert all(parameter.grad is None for parameter in later.prior.parameters())
