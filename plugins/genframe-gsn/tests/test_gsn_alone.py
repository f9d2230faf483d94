"""Every class of the plugin is useful by itself: its examples run, and the package gives it."""

from __future__ import annotations

import torch
from torch import nn

import genframe_gsn
from genframe import Real
from genframe.testing import check_docstrings, require_conformance
from genframe_gsn import StochasticEncoder


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_gsn))


def test_a_network_of_ones_own() -> None:
    """Without noise and corruption a drawn latent is the function of the data; with them it is not."""
    torch.manual_seed(0)
    network, x = nn.Linear(3, 5), torch.rand(4, 3)
    quiet = StochasticEncoder(network, Real((3,), 0, 1), features=Real((5,)), dim=2, amount=0.0, noise=0.0)
    noisy = StochasticEncoder(network, Real((3,)), features=Real((5,)), dim=2, kind="gaussian")
    assert torch.equal(quiet.encode_noisy(x), quiet.encode(x))
    assert not torch.equal(noisy.encode_noisy(x), noisy.encode_noisy(x))
