"""A critic whose gradient is known."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from genframe import Encoder, EncoderSpec, ModelSpec, Real, Space, Spaces
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe_gan import Adversarial


class QuadraticEncoder(Encoder):
    """D(x) = xᵀ diag(a) x / 2 + bᵀ x, so that its gradient is a x + b."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.linspace(0.5, 2.0, dims)), nn.Parameter(torch.linspace(-1.0, 1.0, dims))

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the score: (B, D) -> (B, 1)."""
        return (0.5 * self.a * x.square() + self.b * x).sum(1, keepdim=True)


class Quadratic(EncoderSpec):
    """A quadratic score."""

    type: Literal["test/quadratic"] = "test/quadratic"

    def latent_space(self, data: Space) -> Space:
        """Return a single number."""
        return Real((1,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the critic."""
        return QuadraticEncoder(spaces.data.dims)


@pytest.fixture
def quadratic() -> Quadratic:
    """A critic whose gradient is a x + b."""
    return Quadratic()


@pytest.fixture
def mirror(quadratic: Quadratic) -> ModelSpec:
    """A model whose fakes are the data themselves."""
    loss = Adversarial(critic=quadratic, fakes="reconstructions")
    return ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), loss=loss)
