"""Noise on data, as denoising autoencoders and generative stochastic networks remove it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Generator, Tensor

from genframe import Real, normal_like

from .choices import CorruptionKind

__all__ = ["Corruption", "corruption"]


class Corruption(Protocol):
    """Adds noise to data: what :func:`corruption` returns."""

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """Return data with noise: (B, data) -> (B, data)."""


def corruption(kind: CorruptionKind, amount: float, data: Real) -> Corruption:
    """Return the noise of a kind for values of ``data``. Vincent et al. 2010, sec. 3.3.

    ``masking`` sets values to 0, or to the bound that is nearest to 0; ``salt_and_pepper`` sets them to either bound;
    ``gaussian`` noise is added and not clipped.

    :param amount: the fraction of values that are corrupted; for gaussian the standard deviation.

    >>> corruption("masking", 1.0, Real((3,)))(torch.ones(1, 3))
    tensor([[0., 0., 0.]])
    """
    low, high = data.low if data.low is not None else 0.0, data.high if data.high is not None else 0.0
    blank = min(max(0.0, low), high)

    def uniform_like(x: Tensor, generator: Generator | None) -> Tensor:
        return torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)

    def masking(x: Tensor, generator: Generator | None = None) -> Tensor:
        return x.masked_fill(uniform_like(x, generator) < amount, blank)

    def gaussian(x: Tensor, generator: Generator | None = None) -> Tensor:
        return x + amount * normal_like(x, generator)

    def salt_and_pepper(x: Tensor, generator: Generator | None = None) -> Tensor:
        uniform = uniform_like(x, generator)
        return x.masked_fill(uniform < amount, high).masked_fill(uniform < amount / 2, low)

    kinds: dict[CorruptionKind, Corruption] = {
        "masking": masking,
        "gaussian": gaussian,
        "salt_and_pepper": salt_and_pepper,
    }
    return kinds[kind]
