"""Activations by name, for every network here and in other plugins."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Activation", "activation"]

Activation: TypeAlias = Literal["relu", "silu", "gelu", "tanh", "elu", "leaky_relu", "leaky_relu_0.2", "softplus"]
OVERWRITING: Final = ("relu", "leaky_relu", "leaky_relu_0.2", "elu")


def activation(name: Activation, *, inplace: bool = False) -> nn.Module:
    """Return a new module of the activation ``name``, with torch's defaults: ``leaky_relu`` has a slope of 0.01 below zero.

    ``inplace`` lets it overwrite its input where its gradient can do without: in the rectifiers and ``elu``.
    """
    from torch import nn

    modules: dict[Activation, Callable[..., nn.Module]] = {
        "relu": nn.ReLU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
        "elu": nn.ELU,
        "leaky_relu": nn.LeakyReLU,
        "leaky_relu_0.2": partial(nn.LeakyReLU, 0.2),
        "softplus": nn.Softplus,
    }
    return modules[name](inplace=True) if inplace and name in OVERWRITING else modules[name]()
