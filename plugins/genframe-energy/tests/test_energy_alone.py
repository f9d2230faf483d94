"""Every class of the plugin is useful by itself: its examples run, and the package gives it."""

from __future__ import annotations

import doctest
import math
from importlib import import_module
from inspect import isabstract, isclass
from pkgutil import iter_modules

import pytest
import torch
from torch import nn

import genframe_energy
from genframe import ComponentSpec, Real
from genframe_energy import ContrastiveDivergenceLoss, NeuralEnergy, RestrictedBoltzmannMachine, log_z_of

MODULES = [
    import_module(f"genframe_energy.{found.name}") for found in iter_modules(genframe_energy.__path__) if not found.ispkg
]
EXAMPLES = [test for module in MODULES for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_runs(example: doctest.DocTest) -> None:
    """What a docstring shows is what happens."""
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", genframe_energy.__all__)
def test_the_package_gives(name: str) -> None:
    """Each public name is there, and what is not a spec, a trait, a result or abstract has an example."""
    thing = getattr(genframe_energy, name)
    spec = isclass(thing) and issubclass(thing, ComponentSpec)
    plain = spec or isabstract(thing) or thing.__module__ in ("genframe_energy.traits", "genframe_energy.specs.samplers")
    assert plain or ">>>" in thing.__doc__


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
