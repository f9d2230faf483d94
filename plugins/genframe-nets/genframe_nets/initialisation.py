"""How weights start, by one rule for all networks."""

from __future__ import annotations

import math
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor, nn

from .activations import Activation, activation

__all__ = ["initialised", "scaled", "second_moment", "zeroed"]

Layer = TypeVar("Layer", bound=nn.Module)


def initialised(layer: Layer, before: Activation | None) -> Layer:
    """Return a linear or convolutional ``layer`` with new random weights and a bias of zero.

    Weights are N(0, 1 / (fan-in · E[f(u)²])) with u ~ N(0, 1) and f the activation ``before`` the layer (``None``: data or
    latents, E = 1), so that outputs have unit variance again. He et al. 2015, eq. 7 to 10; for ReLU it is their 2 / fan-in.
    """
    parameters = dict(layer.named_parameters(recurse=False))
    weight = parameters["weight"]
    moment = second_moment(before) if before is not None else 1.0
    nn.init.normal_(weight, std=1 / math.sqrt(_fan_in(layer, weight) * moment))
    if "bias" in parameters:
        nn.init.zeros_(parameters["bias"])
    return layer


def scaled(layer: Layer, factor: float) -> Layer:
    """Return ``layer`` with weights and bias multiplied by ``factor``."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(factor)
    return layer


def zeroed(layer: Layer) -> Layer:
    """Return ``layer`` with weights and bias of zero, so that its outputs are zero at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _fan_in(layer: nn.Module, weight: Tensor) -> float:
    """Return how many inputs meet in an output; a strided transposed convolution spreads its taps over outputs."""
    if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return weight.shape[0] * math.prod(layer.kernel_size) / math.prod(layer.stride)  # weight (in, out, taps...)
    return weight[0].numel()  # weight (out, in, taps...)


@cache
def second_moment(name: Activation) -> float:
    """Return E[f(u)²] of the activation f for u ~ N(0, 1), by quadrature."""
    u = torch.linspace(-10, 10, 4001, dtype=torch.float64, device="cpu")
    density = torch.softmax(-u.square() / 2, 0)
    return float(density @ activation(name)(u).square())
