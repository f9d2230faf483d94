"""Noise on data, as denoising autoencoders and generative stochastic networks remove it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Generator, Tensor

from genframe import Real, normal_like

__all__ = ["Corruption", "corruption"]


class Corruption(Protocol):
    """Puts noise on data."""

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """Return data with noise: (B, data) -> (B, data)."""


def corruption(kind: str, amount: float, data: Real) -> Corruption:
    """Return the noise of ``kind``, masking, gaussian or salt_and_pepper, for values of ``data``."""
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

    kinds: dict[str, Corruption] = {"masking": masking, "gaussian": gaussian, "salt_and_pepper": salt_and_pepper}
    return kinds[kind]
