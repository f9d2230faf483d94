"""A chain of bijections as an encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import Context, Encoder

from .bijection import Bijection

__all__ = ["FlowEncoder"]


class FlowEncoder(Encoder):
    """Data through a bijection to their latents; the same object is the encoder and, by its inverse, the decoder."""

    def __init__(self, flow: Bijection) -> None:
        super().__init__()
        self.flow = flow

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent: (B, data) -> (B, latent)."""
        latent: Tensor = self.flow(x, context)[0]
        return latent

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the latent and log |det dz/dx| (B,) in nats."""
        latent, log_det = self.flow(x, context)
        return latent, log_det.expand(len(x))

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the datum: (B, latent) -> (B, data)."""
        return self.flow.inverse(latent, context)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Take the first state from training data, where a layer has one."""
        self.flow.initialise(x, context)
