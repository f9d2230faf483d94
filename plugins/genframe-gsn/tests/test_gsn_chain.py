"""The chain and its training against transition matrices of spaces so small that all their states are enumerated."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Batch, Model, ModelSpec, Real, compose, generator_for
from genframe.testing import part
from genframe_gsn import Chain, Stochastic, Walkback
from genframe_nets import MLP, MLPDecoder
from genframe_vae import Bernoulli, Corrupted, NormalLikelihood, Reconstruction

BITS = Real((3,), 0, 1, levels=2)
STATES = torch.tensor(list(product([0.0, 1.0], repeat=3)))  # (8, 3)


def network(data: Real = BITS, *, steps: int = 30, loss: Any = None, **encoder: Any) -> Model:
    """Return a small network on few bits: a linear map to the latent, a linear map back."""
    stochastic = Stochastic(dim=2, network=MLP(hidden=(), dim=3), **encoder)
    decoder = Bernoulli(network=MLPDecoder(hidden=()))
    sampler = Chain(steps=steps, draw="sample")
    return compose(ModelSpec(encoder=stochastic, decoder=decoder, loss=loss or Walkback(), sampler=sampler), data)


@torch.no_grad()
def set_by_hand(model: Model) -> Model:
    """Give the network weights by which its chain is far from uniform."""
    rng = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.copy_(1.5 * torch.randn(parameter.shape, generator=rng))
    return model


@torch.no_grad()
def corrupted(amount: float) -> Tensor:
    """Return P(corrupted | state) of salt and pepper: each bit is drawn anew with probability ``amount``, (8, 8)."""
    same = (STATES[:, None] == STATES[None]).double()  # (8, 8, 3)
    return ((1 - amount) * same + amount / 2).prod(-1)


@torch.no_grad()
def decoded(model: Model) -> Tensor:
    """Return p(x | corrupted state) of a model without noise on its latent: (8, 8)."""
    rates = model.reconstruct(STATES).double()
    return torch.where(STATES[None] == 1, rates[:, None], 1 - rates[:, None]).prod(-1)


def stationary(transition: Tensor) -> Tensor:
    """Return the left eigenvector of eigenvalue 1: (S, S) -> (S,)."""
    values, vectors = np.linalg.eig(transition.numpy().T)
    vector = vectors[:, np.abs(values - 1).argmin()].real
    return torch.from_numpy(vector / vector.sum())


def test_chains_reach_the_eigenvector_of_the_transition_matrix() -> None:
    """Samples are distributed as the left eigenvector of the enumerated transition matrix (chi-squared, seven degrees)."""
    model, n = set_by_hand(network(amount=0.3, noise=0.0)), 20_000
    expected = stationary(corrupted(0.3) @ decoded(model))
    assert float(expected.max() / expected.min()) > 10  # far from uniform
    x = model.sample(n, seed=1).x
    counts = torch.bincount((x @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8)
    chi_squared = float(((counts - n * expected).square() / (n * expected)).sum())
    assert chi_squared < 24.3  # exceeded with probability 0.001


def test_noise_is_before_and_after_the_non_linearity() -> None:
    """One bit's chain is that of z = e + tanh(e' + a), integrated over both normal noises by Gauss and Hermite."""
    data, noise, amount, n = Real((1,), 0, 1, levels=2), 0.8, 0.2, 20_000
    stochastic = Stochastic(dim=1, network=MLP(hidden=(), dim=1), amount=amount, noise=noise)
    decoder, sampler = Bernoulli(network=MLPDecoder(hidden=())), Chain(steps=40, draw="sample")
    model = compose(ModelSpec(encoder=stochastic, decoder=decoder, loss=Walkback(), sampler=sampler), data)
    w, v = 2.5, 3.0  # a = w x + 0.3, logit = v z - 0.5
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), (1.0, 0.0, w, 0.3, v, -0.5), strict=True):
            parameter.fill_(value)
    nodes, weights = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(60))
    weights = weights / weights.sum()

    def rate(x: float) -> float:
        latent = noise * nodes[:, None] + torch.tanh(noise * nodes[None] + w * x + 0.3)
        return float(weights @ torch.sigmoid(v * latent - 0.5) @ weights)

    seen = [(1 - amount / 2) * rate(x) + amount / 2 * rate(1 - x) for x in (0.0, 1.0)]  # P(1 | x)
    expected = seen[0] / (seen[0] + 1 - seen[1])
    found = float(model.sample(n, seed=2).x.mean())
    assert abs(found - expected) < 4 * (expected * (1 - expected) / n) ** 0.5
    assert abs(float(torch.sigmoid(torch.tensor(v * np.tanh(w + 0.3) - 0.5))) - seen[1]) > 0.1  # the noise matters


def test_walkback_is_the_expectation_along_the_chain() -> None:
    """The loss is the mean over steps of E[-log p(x | corrupted x_t)], x_t by powers of the transition matrix."""
    steps, repeats = 3, 4000
    model = set_by_hand(network(amount=0.3, noise=0.0, loss=Walkback(steps=steps)))
    corruption, decoding = corrupted(0.3), decoded(model)
    arrived = torch.eye(8, dtype=torch.float64)
    errors = []
    for _ in range(steps):
        errors.append(-((arrived @ corruption) * decoding.log().T).sum(1))  # of each state: (8,)
        arrived = arrived @ corruption @ decoding
    for state, datum in enumerate(STATES):
        torch.manual_seed(state)
        outputs = [model.loss(model, Batch(datum.expand(repeats, 3))) for _ in range(8)]
        found = {
            "mean": torch.stack([output.total.detach() for output in outputs]),
            **{name: torch.stack([output.metrics[name] for output in outputs]) for name in ("first_step", "last_step")},
        }
        expected = {"mean": sum(errors) / steps, "first_step": errors[0], "last_step": errors[-1]}
        for name, values in found.items():
            error = float(values.std()) / len(values) ** 0.5
            assert abs(float(values.mean()) - float(expected[name][state])) < 6 * error + 1e-5


@pytest.mark.parametrize("mode", [True, False])
def test_one_step_is_a_denoising_autoencoder(mode: bool) -> None:
    """Walkback of one step is the cross-entropy of the same autoencoder under vae/corrupted, gradients too."""
    data = Real((1, 4, 4), 0, 1, levels=2)
    stochastic = Stochastic(dim=5, network=MLP(hidden=(8,)), amount=0.3, noise=0.0)
    decoder = Bernoulli(network=MLPDecoder(hidden=(8,)))
    denoising = Corrupted(network=stochastic, corruption="salt_and_pepper", amount=0.3)
    ours = compose(ModelSpec(encoder=stochastic, decoder=decoder, loss=Walkback(steps=1)), data, seed=4).train(mode)
    error = Reconstruction(error="cross_entropy")
    theirs = compose(ModelSpec(encoder=denoising, decoder=decoder, loss=error), data, seed=4).train()
    x = torch.bernoulli(torch.full((7, 1, 4, 4), 0.4), generator=generator_for("cpu", 0))
    totals = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        total = model.loss(model, Batch(x)).total
        total.backward()
        totals.append(total.item())
    assert totals[0] == pytest.approx(totals[1], rel=1e-5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_no_gradient_passes_through_the_states() -> None:
    """Of a likelihood whose draws are differentiable, the gradient is still the sum of each step's own."""
    encoder = Stochastic(dim=3, network=MLP(hidden=(4,)), corruption="gaussian", amount=0.5, noise=0.0)
    decoder = NormalLikelihood(network=MLPDecoder(hidden=(4,)))
    model = compose(ModelSpec(encoder=encoder, decoder=decoder, loss=Walkback(steps=2)), Real((2,)))
    x = torch.randn(6, 2, generator=generator_for("cpu", 0))
    torch.manual_seed(1)
    model.loss(model, Batch(x)).total.backward()
    found = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    torch.manual_seed(1)
    latents = [model.encoder.encode_noisy(x)]  # type: ignore[union-attr, operator]
    state = model.decoder.likelihood(latents[0]).rsample().detach()  # type: ignore[operator]
    latents.append(model.encoder.encode_noisy(state))  # type: ignore[union-attr, operator]
    total = sum(0.5 * F.mse_loss(model.decoder.decode(latent), x, reduction="sum") / 6 for latent in latents) / 2
    expected = torch.autograd.grad(total, list(model.parameters()))
    torch.testing.assert_close(found, list(expected))


def test_corruption_sets_each_share() -> None:
    """Salt and pepper sets half of the amount to either bound; Gaussian noise has the amount as its deviation."""
    grey = torch.full((100_000, 1), 0.25)
    for kind, data in (("salt_and_pepper", Real((1,), -1, 2)), ("gaussian", Real((1,)))):
        encoder: Any = part(Stochastic(network=MLP(hidden=(2,)), corruption=kind, amount=0.4), data=data)
        found = encoder.corrupt(grey, generator_for("cpu", 5))
        if kind == "gaussian":
            assert float(found.std()) == pytest.approx(0.4, rel=0.01)
            assert float(found.mean()) == pytest.approx(0.25, abs=0.01)
        else:
            shares = [float((found == value).float().mean()) for value in (-1, 0.25, 2)]
            assert shares == pytest.approx([0.2, 0.6, 0.2], abs=0.01)


def test_trajectory_shows_every_state_after_the_burn_in() -> None:
    """States are counted from the burn-in on; the means shown are those from which the next states were drawn."""
    shown = {}
    for draw in ("mean", "sample"):
        model = set_by_hand(network())
        model.sampler = part(Chain(steps=6, burn_in=2, draw=draw))
        with torch.no_grad():
            states = list(model.sampler.trajectory(model, 5000, generator=generator_for("cpu", 1)))
        assert [(state.step, state.steps) for state in states] == [(3, 6), (4, 6), (5, 6), (6, 6)]
        shown[draw] = [state.x for state in states]
    for mean, sample in zip(shown["mean"], shown["sample"], strict=True):
        assert set(sample.unique().tolist()) == {0.0, 1.0}
        assert ((mean > 0) & (mean < 1)).all()
        spread = (mean * (1 - mean)).mean(0).sqrt() / 5000**0.5
        assert ((sample - mean).mean(0).abs() < 4 * spread).all()


def test_reconstruction_is_without_noise() -> None:
    """A latent as a function of the data is tanh(a(x)), in training mode too, so that reconstructions repeat."""
    model = network().train()
    assert torch.equal(model.encode(STATES), model.encode(STATES))
    assert (model.encode(STATES).abs() < 1).all()
    encoder: Any = model.encoder
    assert not torch.equal(encoder.encode_noisy(STATES), encoder.encode_noisy(STATES))
