"""The parts without their specs: the examples of their docstrings, heads on a user's own networks, and the exports."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import genframe_nets
import genframe_vae
from genframe import Real
from genframe.core.parts import StandardNormal
from genframe.testing import check_docstrings, require_conformance
from genframe_vae import BernoulliDecoder, ElboLoss, GaussianEncoder, IwaeLoss, NormalDecoder, rate

MODULES = ["corruption", "decoders", "distributions", "encoders", "losses", "mixture", "penalties", "priors"]
GIVEN = {"StandardNormal": StandardNormal, **{name: getattr(genframe_nets, name) for name in genframe_nets.__all__}}


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, given the networks of genframe_nets too, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_vae, GIVEN))


@pytest.mark.parametrize("module", [module for module in MODULES if module != "corruption"])
def test_every_class_is_exported(module: str) -> None:
    """Each public name of the implementation can be imported from the package."""
    implementation = import_module(f"genframe_vae.{module}")
    assert all(getattr(genframe_vae, name) is getattr(implementation, name) for name in implementation.__all__)


def test_parts_are_loaded_when_they_are_used() -> None:
    """Importing the package imports no torch; asking for a part does; a misspelled name is an AttributeError."""
    code = (
        "import sys, genframe_vae as vae; assert 'torch' not in sys.modules;"
        "vae.GaussianEncoder; assert 'torch' in sys.modules; assert not hasattr(vae, 'GausianEncoder')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Own(nn.Module):
    """A user's network that knows nothing of genframe."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))

    def forward(self, x: Tensor) -> Any:
        """Return vectors."""
        return self.layers(x)


def test_a_vae_of_own_networks_learns_in_a_loop_of_ones_own() -> None:
    """Heads on a user's modules and the terms of the bound are a VAE without a model, and its loss falls."""
    torch.manual_seed(0)
    bits = Real((1, 4, 4), 0, 1, levels=2)
    encoder, decoder = GaussianEncoder(Own(16, 32), features=Real((32,)), dim=2), BernoulliDecoder(Own(2, 16), data=bits)
    prior, loss = StandardNormal(Real((2,))), ElboLoss()
    x = (torch.rand(2, 1, 4, 4) > 0.5).float()[torch.randint(2, (64,))]
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    losses = []
    for _ in range(60):
        posterior = encoder.posterior(x)
        z = posterior.rsample()
        output = loss.terms(-decoder.likelihood(z).log_prob(x), rate(posterior, prior, z, z))
        optimizer.zero_grad()
        output.total.backward()
        optimizer.step()
        losses.append(float(output.total.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert decoder(z).shape == (64, 1, 4, 4)


def test_a_network_of_another_size_is_refused() -> None:
    """Parameters that do not fill the data are an error; they are never broadcast over it."""
    decoder = NormalDecoder(nn.Linear(2, 3), data=Real((4,)))
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        decoder.likelihood(torch.zeros(5, 2))


def test_the_rate_is_the_same_by_closed_form_and_by_draws() -> None:
    """For a prior without closed form, the average of log q(z) - log p(z) over many draws is the divergence."""
    torch.manual_seed(0)
    posterior = genframe_vae.DiagonalNormal(torch.tensor([[0.5, -1.0]]), torch.tensor([[-0.5, 0.3]]))
    normal, one = StandardNormal(Real((2,))), genframe_vae.GaussianMixturePrior(Real((2,)), components=1)
    nn.init.zeros_(one.means)
    closed = rate(posterior, normal, posterior.mean, posterior.mean)
    many = posterior.expand(100_000)
    z = many.rsample()
    assert float(rate(many, one, z, z).detach().mean()) == pytest.approx(float(closed), rel=0.01)


def test_importance_weights_of_one_sample_are_the_bound() -> None:
    """With one draw the loss is minus the mean log-weight; with more it is at most that."""
    one, more = torch.randn(1, 8), torch.randn(5, 8)
    assert torch.allclose(IwaeLoss().terms(one).total, -one.mean())
    assert float(IwaeLoss().terms(more).total) <= -float(more.mean())
