"""Variational dequantisation: from levels to values within their bins, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor, nn

from genframe import Context, Decoder, Encoder, Real, ask
from genframe.types import PosteriorDistribution

from .noise import LOG_NOTHING, Bins, LogitNormalNoise, UniformNoise

__all__ = ["CertainLevel", "DequantiseEncoder", "QuantiseDecoder"]

FIRST_SIGMA: Final = 1.75
"""Of all logit-normals with mean 0 this is the nearest to uniform; its entropy is -0.0095 nats."""
LOG_SIGMA_BOUNDS: Final = (-7.0, 1.5)
"""Noise wider than that piles up at the ends of the bin."""


class DequantiseEncoder(Encoder):
    """q(y|x): noise within the bins of levels, uniform or from a network. The latent of x is the mean of y. Ho et al. 2019.

    :param data: a space with levels.
    :param network: gives a location and a raw log sigma for each value, stacked along the first axis; none: uniform noise.

    >>> _ = torch.manual_seed(0)
    >>> encoder = DequantiseEncoder(Real((2,), 0, 1, levels=4), nn.Linear(2, 4))
    >>> posterior = encoder.posterior(torch.tensor([[0.0, 1.0]]))
    >>> y = posterior.rsample()
    >>> bool((y[0, 0] < 0.25) & (y[0, 1] > 0.75)), posterior.log_prob(y).shape
    (True, torch.Size([1]))
    """

    def __init__(self, data: Real, network: nn.Module | None = None) -> None:
        super().__init__()
        self.bins = Bins(data)
        self.network = network

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the posterior's mean: (B, data) -> (B, data)."""
        return self.posterior(x, context).mean

    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """Return q(y|x); the raw log sigma is added to that of almost uniform noise, and the sum is clamped to [-7, 1.5]."""
        index = self.bins.index(x)
        if self.network is None:
            return UniformNoise(self.bins, index)
        location, raw = ask(self.network, x, context).chunk(2, 1)
        log_sigma = (raw + math.log(FIRST_SIGMA)).clamp(*LOG_SIGMA_BOUNDS)
        return LogitNormalNoise(self.bins, index, location, log_sigma)


@dataclass(frozen=True)
class CertainLevel:
    """The level in whose bin each of the values ``y`` (B, ...) lies has probability 1.

    >>> certain = CertainLevel(Bins(Real((1,), 0, 1, levels=4)), torch.tensor([[0.3]]))
    >>> round(certain.mean.item(), 4), certain.log_prob(torch.tensor([[1 / 3]])).item()
    (0.3333, 0.0)
    """

    bins: Bins
    y: Tensor

    @property
    def mean(self) -> Tensor:
        """The level: (B, ...)."""
        return self.bins.level(torch.floor(self.bins.place(self.y)).clamp(0, self.bins.levels - 1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return 0 where all of y are in the bins of ``value``, as draws of flow/dequantise are; else ``LOG_NOTHING`` or less.

        (B, ...) -> (B,), in nats.
        """
        off = self.bins.place(self.y) - self.bins.index(value) - 0.5
        return torch.where(off.abs() <= 0.5 + self.bins.slack, 0.0, LOG_NOTHING).flatten(1).sum(1)

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """Return the level; nothing is drawn."""
        return self.mean


class QuantiseDecoder(Decoder):
    """p(x|y): the level in whose bin each value lies, with certainty. Ho et al. 2019, eq. 3.

    :param data: a space with levels.

    >>> decoder = QuantiseDecoder(Real((3,), 0, 1, levels=3))
    >>> decoder(torch.tensor([[0.1, 0.5, 0.9]])).tolist()
    [[0.0, 0.5, 1.0]]
    """

    def __init__(self, data: Real) -> None:
        super().__init__()
        self.bins = Bins(data)

    def likelihood(self, latent: Tensor, context: Context | None = None) -> CertainLevel:
        """Return p(x|y)."""
        return CertainLevel(self.bins, latent)

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the level in whose bin each value lies."""
        return self.likelihood(latent, context).mean
