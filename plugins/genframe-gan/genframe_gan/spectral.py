"""Spectral normalisation of a network's layers."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from genframe import Context, ContextSpace, Encoder, Space, ask

from .specs import Spectral

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


def normalised(layer: nn.Module, iterations: int) -> None:
    """Divide the layer's weight by its largest singular value from now on.

    A weight that starts at zero has no direction and is drawn anew, N(0, 1 / fan-in).
    """
    weight = cast(Tensor, layer.weight)
    if not bool(weight.any()):
        with torch.no_grad():
            weight.normal_(0, (len(weight) / weight.numel()) ** 0.5)
    spectral_norm(layer, n_power_iterations=iterations)


class SpectralEncoder(Encoder):
    """An encoder whose layers' weights are normalised."""

    def __init__(self, spec: Spectral, data: Space, context: ContextSpace | None) -> None:
        super().__init__()
        self.network: Encoder = spec.network.build(spec.network.spaces(data, context))
        for layer in [module for module in self.network.modules() if isinstance(module, LAYERS)]:
            normalised(layer, spec.iterations)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the network's latent: (B, data) -> (B, latent)."""
        return ask(self.network, x, context)

    def code(self, latent: Tensor) -> Tensor:
        """Return the network's code: (B, latent) -> (B, code)."""
        return self.network.code(latent)

    def latent(self, code: Tensor) -> Tensor:
        """Return the network's latent of a code: (B, code) -> (B, latent)."""
        return self.network.latent(code)
