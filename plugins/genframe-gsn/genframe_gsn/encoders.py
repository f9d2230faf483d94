"""The encoder that draws latents of corrupted data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import torch
from torch import Generator, Tensor

from genframe import Encoder, Real, Space, projection

if TYPE_CHECKING:
    from .specs import Stochastic

__all__ = ["Corruption", "StochasticEncoder", "corruption"]

Corruption: TypeAlias = Callable[[Tensor, Generator | None], Tensor]


def normal_like(x: Tensor, generator: Generator | None) -> Tensor:
    """Return standard normal noise of the shape, type and device of ``x``."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def corruption(kind: str, amount: float, data: Real) -> Corruption:
    """Return the noise of ``kind`` for values of ``data``: (B, data) -> (B, data)."""
    low, high = data.low or 0.0, data.high or 0.0  # read for bounded data only

    def gaussian(x: Tensor, generator: Generator | None) -> Tensor:
        return x + amount * normal_like(x, generator)

    def salt_and_pepper(x: Tensor, generator: Generator | None) -> Tensor:
        uniform = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return x.masked_fill(uniform < amount, high).masked_fill(uniform < amount / 2, low)

    return {"gaussian": gaussian, "salt_and_pepper": salt_and_pepper}[kind]


class StochasticEncoder(Encoder):
    """A network with a linear head and a tanh, between a corruption and noise."""

    def __init__(self, spec: Stochastic, data: Real, context: Space | None) -> None:
        super().__init__()
        self.corrupt = corruption(spec.corruption, spec.amount, data)
        self.noise = spec.noise
        self.network = spec.network.build(data, context)
        self.head = projection(cast(Real, spec.network.latent_space(data)), spec.dim)

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return tanh(a(x)), without corruption and noise."""
        return torch.tanh(self._activation(x, context))

    def encode_noisy(self, x: Tensor, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Return e + tanh(e' + a(C(x)))."""
        activation = self._activation(self.corrupt(x, generator), context)
        return self._noisy(torch.tanh(self._noisy(activation, generator)), generator)

    def _activation(self, x: Tensor, context: Tensor | None) -> Tensor:
        return cast(Tensor, self.head(self.network.encode(x, context)))

    def _noisy(self, x: Tensor, generator: Generator | None) -> Tensor:
        return x + self.noise * normal_like(x, generator) if self.noise else x
