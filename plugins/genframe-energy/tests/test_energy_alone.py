"""Every class of the plugin is useful by itself: its examples run, and the package gives it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import genframe_energy
from genframe import Real
from genframe.testing import check_docstrings, require_conformance
from genframe_energy import ContrastiveDivergenceLoss, NeuralEnergy, RestrictedBoltzmannMachine, log_z_of


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_energy))


def test_a_boltzmann_machine_learns_without_a_model() -> None:
    """A loop by hand over the terms of contrastive divergence brings log p of the data up, by the exact normaliser."""
    torch.manual_seed(0)
    data = torch.tensor([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]]).repeat(50, 1)
    rbm, loss = RestrictedBoltzmannMachine(Real((4,), 0, 1, 2), hidden=4), ContrastiveDivergenceLoss(k=1)
    optimizer = torch.optim.Adam(rbm.parameters(), lr=0.05)

    def log_prob() -> float:
        return float(-rbm.energy(data).mean().detach()) - log_z_of(rbm, data).nats

    before = log_prob()
    for _ in range(200):
        optimizer.zero_grad()
        loss.gap(rbm, data)[0].backward()
        optimizer.step()
    assert before == pytest.approx(-4 * math.log(2), abs=0.1)
    assert log_prob() > -1.5  # two patterns have log 1/2 at best: -0.69


def test_an_energy_of_ones_own_network() -> None:
    """Any module gives the energy; a base density is added in closed form."""
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    prior, x = NeuralEnergy(network, Real((2,)), base=2.0), torch.randn(5, 2)
    torch.testing.assert_close(prior.energy(x), network(x)[:, 0] + x.square().sum(1) / 8)
