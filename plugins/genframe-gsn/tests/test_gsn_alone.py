"""Every class of the plugin is useful by itself: its examples run, and the package gives it."""

from __future__ import annotations

import doctest
from importlib import import_module
from inspect import isabstract, isclass
from pkgutil import iter_modules

import pytest
import torch
from torch import nn

import genframe_gsn
from genframe import ComponentSpec, Real
from genframe_gsn import StochasticEncoder

MODULES = [import_module(f"genframe_gsn.{found.name}") for found in iter_modules(genframe_gsn.__path__) if not found.ispkg]
EXAMPLES = [test for module in MODULES for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_runs(example: doctest.DocTest) -> None:
    """What a docstring shows is what happens."""
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", genframe_gsn.__all__)
def test_the_package_gives(name: str) -> None:
    """Each public name is there, and what is not a spec, a trait, a result or abstract has an example."""
    thing = getattr(genframe_gsn, name)
    spec = isclass(thing) and issubclass(thing, ComponentSpec)
    plain = spec or isabstract(thing) or thing.__module__ == "genframe_gsn.traits"
    assert plain or ">>>" in thing.__doc__


def test_a_network_of_ones_own() -> None:
    """Without noise and corruption a drawn latent is the function of the data; with them it is not."""
    torch.manual_seed(0)
    network, x = nn.Linear(3, 5), torch.rand(4, 3)
    quiet = StochasticEncoder(network, Real((3,), 0, 1), features=Real((5,)), dim=2, amount=0.0, noise=0.0)
    noisy = StochasticEncoder(network, Real((3,)), features=Real((5,)), dim=2, kind="gaussian")
    assert torch.equal(quiet.encode_noisy(x), quiet.encode(x))
    assert not torch.equal(noisy.encode_noisy(x), noisy.encode_noisy(x))
