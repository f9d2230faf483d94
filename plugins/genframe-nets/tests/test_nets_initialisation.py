from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import nn

from genframe import Real
from genframe.testing import part
from genframe_nets import MLP, Activation, activation
from genframe_nets.initialisation import initialised, second_moment

ACTIVATIONS = get_args(Activation)


def test_second_moments_are_the_closed_forms():
    """E[relu²] = 1/2, and with a slope s below zero (1 + s²)/2; the ELU's by its Gaussian integral."""
    phi = lambda x: (1 + math.erf(x / math.sqrt(2))) / 2  # noqa: E731
    elu = 0.5 + math.exp(2) * phi(-2) - 2 * math.exp(0.5) * phi(-1) + 0.5
    assert second_moment("relu") == pytest.approx(0.5, abs=1e-6)
    assert second_moment("leaky_relu") == pytest.approx((1 + 0.01**2) / 2, abs=1e-6)
    assert second_moment("leaky_relu_0.2") == pytest.approx((1 + 0.2**2) / 2, abs=1e-6)
    assert second_moment("elu") == pytest.approx(elu, abs=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_signals_keep_unit_scale_through_five_layers(name):
    """Preactivations have a second moment of 1, five layers deep, whatever the activation. He et al. 2015, eq. 7."""
    torch.manual_seed(0)
    encoder = part(MLP(hidden=(800,) * 5, dim=800, activation=name), data=Real((800,)))
    with torch.no_grad():
        z = encoder.encode(torch.randn(50, 800))
    second = float(z.square().mean())
    assert 0.6 < second < 1.6


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(600, 300),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Conv2d(64, 64, 3, stride=2, padding=1),
        nn.ConvTranspose1d(64, 64, 4, 2, 1),
        nn.ConvTranspose2d(64, 64, 4, 2, 1),
        nn.ConvTranspose3d(32, 32, 4, 2, 1),
    ],
    ids=str,
)
def test_fan_in_counts_the_inputs_that_meet(layer):
    """Away from borders, outputs of rectified normal inputs have unit variance, for transposed convolutions as well."""
    torch.manual_seed(0)
    initialised(layer, "relu")
    shape = (600,) if isinstance(layer, nn.Linear) else (layer.in_channels, *(12,) * (layer.weight.dim() - 2))
    with torch.no_grad():
        out = layer(activation("relu")(torch.randn(20, *shape)))
    inner = out[(..., *(slice(2, -2),) * (out.dim() - 2))]
    assert float(inner.square().mean()) == pytest.approx(1.0, rel=0.12)
    assert not layer.bias.any()
