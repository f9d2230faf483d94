"""Variational dequantisation as a composition: noise within bins, a flow over it, and bounds on the levels' probability."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Model, ModelSpec, Real, Space, SpecError, check, compose, generator_for
from genframe_flow import Bins, CertainLevel, LogitNormalNoise, UniformNoise
from genframe_flow.noise import Noise
from genframe_nets import MLPDecoder

SPACE = Real((2,), 0, 1, levels=3)
SMALL = MLPDecoder(hidden=(16,))
COUPLINGS = {"type": "flow/realnvp", "couplings": 2, "network": SMALL, "bound": 0.5}
FLOW = {"type": "flow/sequence", "flows": [{"type": "flow/scaling", "to": [-2, 3]}, COUPLINGS]}
PRIOR = {"type": "core/model", "model": {"encoder": FLOW, "decoder": "core/inverse", "loss": "core/nll"}}


def spec_of(**slots: Any) -> ModelSpec:
    """Return a flow over dequantised levels; ``slots`` replace parts."""
    parts: dict[str, Any] = {
        "encoder": {"type": "flow/dequantise", "network": {"type": "nets/mlp", "hidden": [16], "zero": True}},
        "decoder": "flow/quantise",
        "prior": PRIOR,
        "loss": "vae/elbo",
    }
    return ModelSpec.model_validate({**parts, **slots})


def model_of(data: Space = SPACE, **slots: Any) -> Model:
    """Build it."""
    return compose(spec_of(**slots), data, seed=3).eval()


def every_level() -> Tensor:
    """Return all data of the toy: (9, 2)."""
    return torch.tensor(list(itertools.product([0.0, 0.5, 1.0], repeat=2)))


@torch.no_grad()
def exact_log_prob(model: Model) -> Tensor:
    """Return the logarithm of the prior's integral over the bin of each example, by 200 x 200 midpoints: (9,)."""
    places = (torch.arange(600) + 0.5) / 600
    log_density = model.prior.log_prob(torch.cartesian_prod(places, places)).double()  # type: ignore[operator]
    bins = log_density.reshape(3, 200, 3, 200).transpose(1, 2).reshape(9, -1)
    result: Tensor = bins.logsumexp(1) - 2 * math.log(600)
    return result


def noise(location: Tensor, log_sigma: Tensor, levels: int = 256) -> LogitNormalNoise:
    """Return noise in random bins."""
    bins = Bins(Real(tuple(location.shape[1:]), -1, 1, levels))
    index = torch.randint(levels, location.shape, generator=generator_for("cpu", 0)).to(location.dtype)
    return LogitNormalNoise(bins, index, location, log_sigma)


@pytest.mark.parametrize("network", [None, "nets/mlp"])
def test_the_bound_is_below_the_probability_and_importance_weights_close_the_gap(network: Any) -> None:
    """For each of nine data: E[bound] <= log p(x), the flow's integral over the bin, and the gap vanishes with the samples."""
    model = model_of(encoder={"type": "flow/dequantise", "network": network})
    exact, x = exact_log_prob(model), every_level()
    with torch.no_grad():
        weights = model.log_weights(x, samples=4000, generator=generator_for("cpu", 0)).double()
    bound, error = weights.mean(0), weights.std(0) / math.sqrt(4000)
    assert (bound - 5 * error < exact).all()
    assert (exact - bound).mean() > 0.01
    tight = weights.logsumexp(0) - math.log(4000)
    spread = (weights - tight).exp().std(0) / math.sqrt(4000)
    assert ((tight - exact).abs() < 5 * spread + 1e-3).all()


def test_it_is_a_bound_on_mass_in_bits() -> None:
    """The kind is a lower bound of probability, and bits per dimension need no volume of bins."""
    model = model_of()
    with torch.no_grad():
        result = model.log_prob(every_level(), samples=2000, generator=generator_for("cpu", 0))
    assert (result.kind, result.mass) == ("lower bound", True)
    exact = -exact_log_prob(model).mean().item() / (2 * math.log(2))
    assert result.bits_per_dim == pytest.approx(exact, abs=0.02)


def test_uniform_noise_is_the_dequantisation_of_the_data() -> None:
    """The bound of one draw is the density of the data set's own noisy data plus the volume of a bin, draw by draw."""
    prepare = pytest.importorskip("genframe_data.prepare")
    model = model_of(encoder={"type": "flow/dequantise", "network": None})
    x = every_level()
    with torch.no_grad():
        bound = model.log_prob(x, generator=generator_for("cpu", 5))
        noisy = prepare.Dequantised(3)((2 * x).to(torch.uint8), generator_for("cpu", 5))
        flow = compose(ModelSpec.model_validate(PRIOR["model"]), Real((2,), 0, 1, 3, True)).eval()
        flow.load_state_dict(model.prior.model.state_dict())  # type: ignore[union-attr]
        data_side = flow.log_prob(noisy)
    torch.testing.assert_close(bound.nats, data_side.nats - 2 * math.log(3), rtol=1e-6, atol=1e-5)
    assert bound.bits_per_dim == pytest.approx(data_side.bits_per_dim, abs=1e-5)


def test_learned_noise_tightens_the_bound() -> None:
    """A density that is steep within bins: after training q alone the gap is less than half of that of uniform noise."""
    steep = {"encoder": {"type": "flow/scaling", "scale": 12.0, "shift": -5.0}, "decoder": "core/inverse", "loss": "core/nll"}
    model = model_of(prior={"type": "core/model", "model": steep})
    uniform = model_of(prior={"type": "core/model", "model": steep}, encoder={"type": "flow/dequantise", "network": None})
    x, exact = every_level(), exact_log_prob(model)
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimiser.zero_grad()
        model.loss(model, Batch(x.repeat(16, 1))).total.backward()
        optimiser.step()
    gaps = [
        float((exact - each.log_weights(x, samples=500, generator=generator_for("cpu", 0)).detach().mean(0)).mean())
        for each in (model, uniform)
    ]
    assert 0 < gaps[0] < 0.5 * gaps[1]


@pytest.mark.parametrize("loss", ["vae/elbo", {"type": "vae/iwae", "samples": 5}])
def test_both_losses_train_all_parts(loss: Any) -> None:
    """A gradient reaches the network of the noise and the flow."""
    model = model_of(loss=loss)
    model.loss(model, Batch(every_level())).total.backward()
    last = [parameter for name, parameter in model.named_parameters() if "layers.2" in name or "prior" in name]
    assert last
    assert all(parameter.grad is not None and bool(parameter.grad.isfinite().all()) for parameter in last)


@pytest.mark.parametrize("levels", [2, 256])
def test_draws_lie_in_their_bins(levels: int) -> None:
    """Also at the ends, where float32 rounds: their level is the value, with log-probability exactly 0."""
    grid = Real((2000,), -1, 1, levels)
    bins, index = Bins(grid), torch.randint(levels, (8, 2000)).float()
    x = bins.level(index)
    assert torch.equal(bins.index(x), index)
    location = torch.randn(8, 2000) * 10
    for each in (UniformNoise(bins, index), LogitNormalNoise(bins, index, location, torch.zeros_like(location))):
        certain = CertainLevel(bins, each.rsample())
        assert torch.equal(certain.log_prob(x), torch.zeros(8))
    within = LogitNormalNoise(bins, index, torch.zeros_like(location), torch.zeros_like(location))
    torch.testing.assert_close(CertainLevel(bins, within.rsample()).mean, x, rtol=0, atol=1e-6)


def test_another_level_has_probability_zero() -> None:
    """Finite, so that sums and gradients stay so, and its exponential is zero."""
    certain = CertainLevel(Bins(SPACE), torch.tensor([[0.1, 0.9]]))
    log_probs = torch.stack([certain.log_prob(torch.tensor([x])) for x in ([0.0, 1.0], [0.5, 1.0], [0.0, 0.0])])
    assert log_probs.exp().flatten().tolist() == [1.0, 0.0, 0.0]
    assert torch.isfinite(log_probs).all()


def test_values_beyond_the_bounds_round_to_the_last_level() -> None:
    """A flow's samples may leave the range of the data; decoding puts them on the grid."""
    decoded = model_of().decode(torch.tensor([[-3.0, 0.2], [0.5, 7.0]]))
    assert decoded.tolist() == [[0.0, 0.0], [0.5, 1.0]]


def test_the_density_of_a_draw_is_that_of_its_value() -> None:
    """What is kept of a draw agrees with what is found from the value, in float64, where no digits are lost."""
    location, log_sigma = torch.randn(4, 6, dtype=torch.float64), 0.3 * torch.randn(4, 6, dtype=torch.float64)
    posterior = noise(location, log_sigma)
    drawn = posterior.rsample(generator_for("cpu", 0))
    torch.testing.assert_close(posterior.log_prob(drawn), posterior.log_prob(drawn.clone()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shift", [-60.0, 0.0, 60.0])
def test_extreme_noise_is_finite_and_pays_for_it(shift: float) -> None:
    """At the very ends of a bin log q and its gradient are finite, and log q grows: rounding cannot make a bound too good."""
    location = torch.full((1, 4), shift, requires_grad=True)
    log_sigma = torch.full((1, 4), -3.0, requires_grad=True)
    posterior = noise(location, log_sigma)
    log_prob = posterior.log_prob(posterior.rsample())
    gradients = torch.autograd.grad(log_prob.sum(), (location, log_sigma))
    assert all(bool(torch.isfinite(tensor).all()) for tensor in (log_prob, *gradients))
    if shift:
        assert log_prob.item() > 4 * 50
        torch.testing.assert_close(gradients[0], torch.full((1, 4), math.copysign(1.0, shift)))


def test_moments_are_those_of_the_noise() -> None:
    """Uniform: closed form. Logit-normal: mean and entropy against 400 000 draws, and -0.0095 nats at first."""
    bins, index = Bins(SPACE), torch.tensor([[0.0, 2.0]])
    uniform = UniformNoise(bins, index)
    torch.testing.assert_close(uniform.mean, (index + 0.5) / 3)
    torch.testing.assert_close(uniform.variance, torch.full((1, 2), 1 / 108))
    assert uniform.entropy().item() == pytest.approx(-2 * math.log(3))
    first = LogitNormalNoise(bins, index, torch.zeros(1, 2), torch.full((1, 2), math.log(1.75)))
    assert first.entropy().item() == pytest.approx(-2 * math.log(3) - 2 * 0.0095, abs=2e-4)
    skew = noise(torch.tensor([[1.0]]), torch.tensor([[1.4]]), levels=2)
    many = skew.expand(400_000)
    drawn = many.rsample(generator_for("cpu", 0))
    assert skew.mean.item() == pytest.approx(drawn.mean().item(), abs=4e-3)
    assert skew.variance.item() == pytest.approx(drawn.var().item(), rel=1e-2)
    assert skew.entropy().item() == pytest.approx(-many.log_prob(drawn).mean().item(), abs=0.02)


def test_the_step_compiles_as_one_graph() -> None:
    """Keeping the last draw's density does not break the graph."""
    encoder = model_of().encoder

    def step(x: Tensor) -> Tensor:
        posterior: Noise = encoder.posterior(x).expand(2)  # type: ignore[operator, union-attr]
        return posterior.log_prob(posterior.rsample())

    x = every_level()
    assert torch.compile(step, backend="eager", fullgraph=True)(x).shape == (18,)


@pytest.mark.parametrize(
    ("data", "slots", "message"),
    [
        (
            Real((2,), 0, 1, 3, True),
            {},
            "model.encoder: flow/dequantise is of values on levels, found Real(2, 0 to 1, 3 levels dequantised); "
            "leave dequantise: true out of the data",
        ),
        (
            Real((2,)),
            {},
            "model.encoder: flow/dequantise is of values on levels, found Real(2); leave it out for data without levels",
        ),
        (
            SPACE,
            {"encoder": {"type": "flow/dequantise", "network": "nets/isotropic"}},
            "model.encoder.network: nets/isotropic ",
        ),
        (
            SPACE,
            {"encoder": "vae/gaussian"},
            "model.decoder: flow/quantise is of dequantised values of Real(2, 0 to 1, 3 levels), found Real(16); "
            "use the encoder flow/dequantise",
        ),
    ],
)
def test_what_does_not_fit_is_refused(data: Space, slots: dict[str, Any], message: str) -> None:
    """With the path and the hint."""
    with pytest.raises(SpecError) as error:
        check(spec_of(**slots), data)
    assert message in str(error.value)
