"""The encoder that draws latents of corrupted data."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Generator, Tensor

from genframe import Context, ContextSpace, Encoder, Real, ask, normal_like, projection
from genframe_vae.corruption import corruption

if TYPE_CHECKING:
    from .specs import Stochastic

__all__ = ["StochasticEncoder"]


class StochasticEncoder(Encoder):
    """A network with a linear head and a tanh, between a corruption and noise."""

    def __init__(self, spec: Stochastic, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.corrupt = corruption(spec.corruption, spec.amount, data)
        self.noise = spec.noise
        self.network = spec.network.build(spec.network.spaces(data, context))
        self.head = projection(cast(Real, spec.network.latent_space(data)), spec.dim)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return tanh(a(x)), without corruption and noise."""
        return torch.tanh(self._activation(x, context))

    def encode_noisy(self, x: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return e + tanh(e' + a(C(x)))."""
        activation = self._activation(self.corrupt(x, generator), context)
        return self._noisy(torch.tanh(self._noisy(activation, generator)), generator)

    def _activation(self, x: Tensor, context: Context | None) -> Tensor:
        return cast(Tensor, self.head(ask(self.network, x, context)))

    def _noisy(self, x: Tensor, generator: Generator | None) -> Tensor:
        return x + self.noise * normal_like(x, generator) if self.noise else x
