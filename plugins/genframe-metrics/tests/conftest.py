"""A linear-Gaussian model whose every figure has a closed form: probabilistic PCA (Tipping & Bishop 1999).

x = W z + b + sigma e, so that log p(x) = log N(x; b, W W^T + sigma^2 I) and p(z|x) = N(M^-1 W^T (x - b), sigma^2 M^-1)
with M = W^T W + sigma^2 I. Its posterior may be widened, so that bounds become loose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal

from genframe import (
    Context,
    Decoder,
    DecoderSpec,
    Encoder,
    EncoderSpec,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    ModelSpec,
    Real,
    Space,
    Spaces,
    Split,
    compose,
    traits,
)
from genframe.types import Likelihood, Posterior, TraitSet

W = torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1], [0.7, 0.4]], dtype=torch.float64)
B = torch.tensor([0.5, -1.0, 0.0, 2.0], dtype=torch.float64)
SIGMA = 0.6
DATA = Real((4,))
MARGINAL = MultivariateNormal(B, W @ W.T + SIGMA**2 * torch.eye(4, dtype=torch.float64))


@dataclass
class Gaussian:
    """N(mean, covariance) of each row, with the methods of a posterior's distribution."""

    mean: Tensor
    covariance: Tensor

    def __post_init__(self) -> None:
        self.normal = MultivariateNormal(self.mean, self.covariance, validate_args=False)

    @property
    def variance(self) -> Tensor:
        """Marginal variances."""
        return self.normal.variance

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density."""
        return self.normal.log_prob(value)

    def entropy(self) -> Tensor:
        """Entropy."""
        return self.normal.entropy()

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """One draw each."""
        noise = torch.randn(self.mean.shape, dtype=self.mean.dtype, generator=generator)
        return self.mean + noise @ torch.linalg.cholesky(self.covariance).T

    def expand(self, samples: int) -> Gaussian:
        """Repeat each row."""
        return Gaussian(self.mean.repeat_interleave(samples, 0), self.covariance)


class PpcaEncoder(Encoder):
    """The posterior, its variance times ``widening``."""

    def __init__(self, widening: float) -> None:
        super().__init__()
        inverse = torch.linalg.inv(W.T @ W + SIGMA**2 * torch.eye(2, dtype=torch.float64))
        self.register_buffer("gain", inverse @ W.T)
        self.register_buffer("covariance", widening * SIGMA**2 * inverse)

    def posterior(self, x: Tensor, context: Context | None = None) -> Gaussian:
        """q(z|x)."""
        return Gaussian((x - B) @ self.gain.T, self.covariance)

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Mean of q(z|x)."""
        return self.posterior(x).mean


class PpcaDecoder(Decoder):
    """p(x|z) = N(W z + b + shift, sigma^2 I); ``rows`` counts the latents that it scored, pass by pass."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.register_buffer("weight", W)
        self.shift, self.rows = shift, []  # type: ignore[var-annotated]

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Mean of p(x|z)."""
        return latent.double() @ self.weight.T + B + self.shift

    def likelihood(self, latent: Tensor, context: Context | None = None) -> Gaussian:
        """p(x|z)."""
        self.rows.append(len(latent))
        return Gaussian(self.decode(latent), SIGMA**2 * torch.eye(4, dtype=torch.float64))


class NoLoss(Loss):
    """Nothing to minimise."""

    def forward(self, model: Model, batch: Any, player: str = "model") -> LossOutput:
        """Return zero."""
        return LossOutput(torch.zeros(()))


class PpcaEncoderSpec(EncoderSpec):
    """Encoder of the toy."""

    type: Literal["toy/ppca"] = "toy/ppca"
    provides: ClassVar[TraitSet] = traits(Posterior)
    widening: float = Field(default=1.0)

    def latent_space(self, data: Space) -> Space:
        """Two dimensions."""
        return Real((2,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make it."""
        return PpcaEncoder(self.widening)


class PpcaDecoderSpec(DecoderSpec):
    """Decoder of the toy."""

    type: Literal["toy/ppca"] = "toy/ppca"
    provides: ClassVar[TraitSet] = traits(Likelihood)
    shift: float = Field(default=0.0)

    def accepts(self, latent: Space, data: Space, context: Space | None = None) -> None:
        """Accept all."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make it."""
        return PpcaDecoder(self.shift)


class NoLossSpec(LossSpec):
    """Loss of the toy."""

    type: Literal["toy/none"] = "toy/none"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make it."""
        return NoLoss()


@dataclass
class Toy:
    """Makes models and data of the toy."""

    data: Real = DATA
    marginal: MultivariateNormal = field(default_factory=lambda: MARGINAL)

    def model(self, widening: float = 1.0, shift: float = 0.0, **parts: Any) -> Model:
        """Return the model; its samples are draws of p(x|z)."""
        parts = {"encoder": PpcaEncoderSpec(widening=widening), "decoder": PpcaDecoderSpec(shift=shift), **parts}
        return compose(ModelSpec(loss=NoLossSpec(), sampler={"type": "core/ancestral", "draw": "sample"}, **parts), self.data)

    def split(self, n: int, seed: int = 0) -> Split:
        """Return ``n`` draws of the marginal p(x) as a split."""
        noise = torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        x = B + noise @ torch.linalg.cholesky(MARGINAL.covariance_matrix).T
        return Split("test", x, protocol={"made": "by probabilistic PCA"})


@pytest.fixture(scope="session")
def toy() -> Toy:
    """The toy's models and data."""
    return Toy()
