"""The encoder that draws latents of corrupted data."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from genframe import Context, Encoder, Real, ask, normal_like, projection
from genframe_vae.corruption import corruption

from .traits import CorruptionKind

__all__ = ["StochasticEncoder"]


class StochasticEncoder(Encoder):
    """A latent drawn from corrupted data: z = e + tanh(e' + a(C(x))), with a a network and its linear head. Bengio et al. 2014.

    :param network: reads data and gives ``features``: (B, data) -> (B, C, grid).
    :param data: the space of the data, whose bounds are salt and pepper.
    :param dim: size of the latent; channels of a spatial one.
    :param kind: what the corruption C does: set values to either bound, or add normal noise.
    :param amount: the fraction of values that are corrupted; for ``gaussian`` the noise's standard deviation.
    :param noise: standard deviation of e and e'.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU())
    >>> encoder = StochasticEncoder(network, Real((8,), 0, 1), features=Real((16,)), dim=4)
    >>> x = torch.rand(5, 8)
    >>> encoder(x).shape, encoder.encode_noisy(x).shape
    (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        network: nn.Module,
        data: Real,
        *,
        features: Real,
        dim: int = 64,
        kind: CorruptionKind = "salt_and_pepper",
        amount: float = 0.4,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        self.corrupt = corruption(kind, amount, data)
        self.noise = noise
        self.network = network
        self.head = projection(features, dim)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return tanh(a(x)), without corruption and noise: (B, data) -> (B, latent)."""
        return torch.tanh(self._activation(x, context))

    def encode_noisy(self, x: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return e + tanh(e' + a(C(x))): (B, data) -> (B, latent)."""
        activation = self._activation(self.corrupt(x, generator), context)
        return self._noisy(torch.tanh(self._noisy(activation, generator)), generator)

    def _activation(self, x: Tensor, context: Context | None) -> Tensor:
        activation: Tensor = self.head(ask(self.network, x, context))
        return activation

    def _noisy(self, x: Tensor, generator: Generator | None) -> Tensor:
        return x + self.noise * normal_like(x, generator) if self.noise else x
