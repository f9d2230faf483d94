"""Activations by name, for every network here and in other plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Activation", "activation"]

Activation: TypeAlias = Literal["relu", "silu", "gelu", "tanh", "elu", "leaky_relu", "softplus"]


def activation(name: Activation) -> nn.Module:
    """Return a new module of the activation ``name``, with torch's defaults."""
    from torch import nn

    modules: dict[Activation, type[nn.Module]] = {
        "relu": nn.ReLU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
        "elu": nn.ELU,
        "leaky_relu": nn.LeakyReLU,
        "softplus": nn.Softplus,
    }
    return modules[name]()
