"""Spectral normalisation of a network's layers."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from genframe import Context, Encoder, ask

__all__ = ["SpectralEncoder", "normalised"]

LAYERS: Final = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Embedding,
)


def normalised(layer: nn.Module, iterations: int = 1) -> None:
    """Divide the layer's weight by its largest singular value from now on.

    A weight of zero has no direction; it is first set to new random values, N(0, 1 / fan-in).
    """
    weight = layer.get_parameter("weight")
    if not bool(weight.any()):
        with torch.no_grad():
            weight.normal_(0, (len(weight) / weight.numel()) ** 0.5)
    spectral_norm(layer, n_power_iterations=iterations)


class SpectralEncoder(Encoder):
    """An encoder with the weight of each layer divided by its largest singular value. Miyato et al. 2018, eq. 8.

    A :class:`Critic` of it has its head normalised as well.

    :param network: the encoder, whose layers are normalised in place.
    :param iterations: power iterations each time the network runs in training.

    >>> _ = torch.manual_seed(0)
    >>> encoder = SpectralEncoder(PerceptronEncoder(Real((6,)), hidden=(), dim=3), iterations=20)
    >>> _ = encoder(torch.randn(5, 6))
    >>> round(torch.linalg.matrix_norm(encoder.network.layers[0].weight, 2).item(), 3)
    1.0
    """

    def __init__(self, network: Encoder, iterations: int = 1) -> None:
        super().__init__()
        self.network, self.iterations = network, iterations
        for layer in [module for module in network.modules() if isinstance(module, LAYERS)]:
            normalised(layer, iterations)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the network's latent: (B, data) -> (B, latent)."""
        return ask(self.network, x, context)

    def code(self, latent: Tensor) -> Tensor:
        """Return the network's code: (B, latent) -> (B, code)."""
        return self.network.code(latent)

    def latent(self, code: Tensor) -> Tensor:
        """Return the network's latent of a code: (B, code) -> (B, latent)."""
        return self.network.latent(code)
