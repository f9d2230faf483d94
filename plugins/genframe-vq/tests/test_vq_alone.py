"""Every class of the plugin is useful by itself: its examples run, and the package gives it."""

from __future__ import annotations

import doctest
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

import pytest
import torch
from torch import nn

import genframe_vq
from genframe import ComponentSpec, Real
from genframe_vq import QuantisedEncoder, ScalarQuantiser, VectorQuantiser

MODULES = [import_module(f"genframe_vq.{found.name}") for found in iter_modules(genframe_vq.__path__) if not found.ispkg]
EXAMPLES = [test for module in MODULES for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_runs(example: doctest.DocTest) -> None:
    """What a docstring shows is what happens."""
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", genframe_vq.__all__)
def test_the_package_gives(name: str) -> None:
    """Each public name is there, and what is not a spec, a trait, a result or abstract has an example."""
    thing = getattr(genframe_vq, name)
    plain = issubclass(thing, ComponentSpec) or isabstract(thing) or thing.__module__ == "genframe_vq.traits"
    assert plain or ">>>" in thing.__doc__


def test_a_network_of_ones_own_is_quantised() -> None:
    """Any module is the network; a gradient reaches it, and only a training step that asks for it moves the codebook."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 2, stride=2), nn.ReLU())
    encoder = QuantisedEncoder(network, VectorQuantiser(8, 4, layers=2), features=Real((6, 4, 4)))
    found = encoder.quantised(torch.rand(5, 3, 8, 8))
    assert found.latent.shape == (5, 4, 4, 4)
    assert found.indices.shape == (5, 2, 4, 4)
    (found.latent.square().sum() + found.commitment).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_quantiser_keeps_the_grid() -> None:
    """Features on a grid are quantised position by position."""
    features = 3 * torch.randn(2, 3, 5, 7)
    quantiser = ScalarQuantiser((4, 3, 5))
    found = quantiser(features)
    assert found.latent.shape == features.shape
    assert found.indices.shape == (2, 1, 5, 7)
    alone = quantiser(features[:, :, 2, 6])
    assert torch.equal(found.latent[:, :, 2, 6], alone.latent)
    assert torch.equal(found.indices[:, :, 2, 6], alone.indices)
