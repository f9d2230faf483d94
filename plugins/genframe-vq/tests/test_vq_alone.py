"""Every class of the plugin is useful by itself: its examples run, and the package gives it."""

from __future__ import annotations

import torch
from torch import nn

import genframe_vq
from genframe import Real
from genframe.testing import check_docstrings, require_conformance
from genframe_vq import QuantisedEncoder, ScalarQuantiser, VectorQuantiser


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_vq))


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
