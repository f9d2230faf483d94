"""Families that are compositions: VAE-GAN, adversarial autoencoder, Flow-GAN, BiGAN."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe import Batch, Model, ModelSpec, Real, compose
from genframe.core import Inverse, NegativeLogLikelihood, Normal, Sum
from genframe_gan import Adversarial, Bidirectional, LatentAdversarial
from genframe_nets import MLP, MLPDecoder
from genframe_vae import Elbo, Gaussian, NormalLikelihood, Reconstruction

READS, WRITES = MLP(hidden=(16,)), MLPDecoder(hidden=(16,))
VAE: dict[str, Any] = {"encoder": Gaussian(dim=2, network=READS), "decoder": NormalLikelihood(network=WRITES)}


def model_of(loss: Any, **parts: Any) -> Model:
    """Return the model on points in the plane, in training mode."""
    return compose(ModelSpec(loss=loss, **parts), Real((2,))).train()


def gradients(model: Model, player: str, x: Tensor) -> dict[str, Tensor]:
    """Return the gradient of each part's parameters in a step of ``player``, always with the same draws."""
    model.zero_grad()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model.loss(model, Batch(x), player).total.backward()
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for role, part in model.parts().items()
        for name, parameter in part.named_parameters(prefix=role)
    }


@dataclass(frozen=True)
class Points:
    """Normal points in the plane."""

    mean: Tensor
    spread: Tensor

    def __call__(self, n: int = 64) -> Tensor:
        """Draw ``n`` of them."""
        return self.mean + self.spread * torch.randn(n, 2)


def play(model: Model, steps: int, lr: float, data: Any) -> None:
    """Move the players in turn."""
    players = model.composition.players
    optimizers = {
        player: torch.optim.Adam(list(model.loss.player_parameters(model, player)), lr=lr, betas=(0.5, 0.9))
        for player in players
    }
    for _ in range(steps):
        for player in players:
            optimizers[player].zero_grad()
            model.loss(model, Batch(data()), player).total.backward()
            optimizers[player].step()


def test_vae_gan_adds_the_critics_gradient_to_the_bounds() -> None:
    """Larsen et al. 2016: the model minimises ELBO + weight * adversarial, as one player against the critic."""
    adversarial = Adversarial(critic=READS, player="model", objective="non_saturating", fakes="reconstructions")
    both = model_of(Sum(terms=(Elbo(), adversarial), weights=(1.0, 0.3)), **VAE)
    assert both.composition.players == ("model", "critic")
    assert both.composition.density == "lower bound"
    x, critic = torch.randn(8, 2), both.loss.terms[1]  # type: ignore[union-attr, index]
    bound = model_of(Elbo(), **VAE)
    for role, part in bound.parts().items():
        part.load_state_dict(both.parts()[role].state_dict())
    total, first = gradients(both, "model", x), gradients(bound, "model", x)
    both.zero_grad()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        bound.loss(bound, Batch(x), "model")  # draws what the first term draws, so that the second gets the same noise
        (0.3 * critic(both, Batch(x), "model").total).backward()
    for role, part in both.parts().items():
        for name, parameter in part.named_parameters(prefix=role):
            second = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(total[name], first[name] + second)
            assert bool(second.any()), name


def test_adversarial_autoencoder_makes_latents_look_like_the_prior() -> None:
    """Makhzani et al. 2016: latents of data far from the prior come to have about its mean and spread, and decode to data."""
    torch.manual_seed(0)
    loss = Sum(terms=(Reconstruction(), LatentAdversarial(critic=MLP(hidden=(32,)), r1=1.0)))
    spec = ModelSpec(encoder=MLP(hidden=(16,), dim=1), decoder=WRITES, loss=loss)
    model, data = compose(spec, Real((1,))).train(), 3 + 0.5 * torch.randn(512, 1)
    assert model.composition.players == ("model", "critic", "generator")
    before = model.encode(data).detach()
    play(model, 250, 1e-2, lambda: data[torch.randint(512, (64,))])
    after = model.encode(data).detach()
    assert float(before.mean().abs()) > 1
    assert float(after.mean().abs()) < 0.3
    assert 0.6 < float(after.std()) < 1.2
    assert float((model.reconstruct(data).detach() - data).square().mean()) < 0.1


def test_flow_gan_keeps_its_exact_likelihood() -> None:
    """Grover et al. 2018: a flow trained against a critic and by likelihood at once has a density that integrates to one."""
    flows = pytest.importorskip("genframe_flow")
    torch.manual_seed(0)
    loss = Sum(terms=(NegativeLogLikelihood(), Adversarial(critic=READS, r1=0.1, player="model")), weights=(1.0, 0.1))
    network = MLPDecoder(hidden=(16,))
    model = model_of(loss, encoder=flows.RealNvp(couplings=2, network=network), decoder=Inverse(), prior=Normal())
    assert (model.composition.density, model.composition.players) == ("exact", ("model", "critic"))
    data = Points(torch.tensor([1.0, -0.5]), torch.tensor([0.7, 0.7]))
    play(model, 60, 5e-3, data)
    axis = torch.linspace(-8, 8, 161)
    with torch.no_grad():
        density = model.eval().log_prob(torch.cartesian_prod(axis, axis)).nats.exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=0.01)
    entropy = 1 + math.log(2 * math.pi) + 2 * math.log(0.7)  # the best mean negative log-likelihood, in nats
    assert -model.log_prob(data(500)).average < entropy + 0.3


def test_bigan_learns_to_invert_its_generator() -> None:
    """Donahue et al. 2017, theorem 2: against a critic of pairs the encoder comes to invert the generator."""
    torch.manual_seed(0)
    parts = {"encoder": MLP(hidden=(32,), dim=2), "decoder": MLPDecoder(hidden=(32,))}
    model = model_of(Bidirectional(critic=MLP(hidden=(32, 32)), r1=0.3, r2=0.3), **parts)
    data = Points(torch.zeros(2), torch.tensor([1.5, 0.5]))
    x = data(500)
    before = (model.reconstruct(x).detach() - x).square().mean()
    play(model, 250, 3e-3, data)
    after = (model.reconstruct(x).detach() - x).square().mean()
    assert float(after) < 0.3 * min(float(before), float(x.square().mean()))
