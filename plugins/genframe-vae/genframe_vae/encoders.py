"""Encoders that give a posterior, and the encoder that sees corrupted data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from torch import Tensor
from torch.nn import functional as F

from genframe import Context, ContextSpace, Encoder, Real, Space, ask, projection
from genframe.traits import Posterior, PosteriorDistribution
from genframe_nets import Transposable

from .corruption import corruption
from .distributions import DiagonalNormal, FullNormal, scale_tril

if TYPE_CHECKING:
    from .specs import Corrupted, FullGaussian, Gaussian

__all__ = [
    "CorruptedEncoder",
    "CorruptedPosterior",
    "CorruptedTransposable",
    "FullGaussianEncoder",
    "GaussianEncoder",
    "corrupted",
]

LOG_VARIANCE_LIMIT: Final = 20.0


class PosteriorEncoder(Encoder):
    """A network with a head that gives the parameters of q(z|x); the latent of a datum is the mean."""

    def __init__(self, spec: Gaussian | FullGaussian, data: Space, context: ContextSpace | None, channels: int) -> None:
        super().__init__()
        self.data = data
        self.network = spec.network.build(spec.network.spaces(data, context))
        self.head = projection(cast(Real, spec.network.latent_space(data)), channels)

    def _parameters_of(self, x: Tensor, context: Context | None) -> Tensor:
        return cast(Tensor, self.head(ask(self.network, x, context)))

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the posterior's mean: (B, data) -> (B, latent)."""
        return self.posterior(x, context).mean

    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """Return q(z|x)."""
        raise NotImplementedError


class GaussianEncoder(PosteriorEncoder):
    """q(z|x) = N(mean, diag(variance)); the head gives the means first, then the log-variances."""

    def __init__(self, spec: Gaussian, data: Space, context: ContextSpace | None) -> None:
        super().__init__(spec, data, context, 2 * spec.dim)

    def posterior(self, x: Tensor, context: Context | None = None) -> DiagonalNormal:
        """Return q(z|x), its log-variances clamped to ±20 so that no variance over- or underflows."""
        mean, log_variance = self._parameters_of(x, context).chunk(2, 1)
        return DiagonalNormal(mean, F.hardtanh(log_variance, -LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT))  # one kernel back


class FullGaussianEncoder(PosteriorEncoder):
    """q(z|x) = N(mean, L Lᵀ); the head gives the means, the log-diagonal of L, and what lies below it."""

    def __init__(self, spec: FullGaussian, data: Space, context: ContextSpace | None) -> None:
        self.sizes = (spec.dim, spec.dim, spec.dim * (spec.dim - 1) // 2)
        super().__init__(spec, data, context, sum(self.sizes))

    def posterior(self, x: Tensor, context: Context | None = None) -> FullNormal:
        """Return q(z|x), the log-diagonal clamped to ±10, which is a variance within exp(±20)."""
        mean, log_diagonal, lower = self._parameters_of(x, context).split(self.sizes, 1)
        limit = LOG_VARIANCE_LIMIT / 2
        return FullNormal(mean, scale_tril(log_diagonal.clamp(-limit, limit), lower))


class CorruptedEncoder(Encoder):
    """An encoder that sees corrupted data while it trains, and clean data otherwise."""

    def __init__(self, spec: Corrupted, network: Encoder, data: Space) -> None:
        super().__init__()
        self.data = data
        self.network = network
        self.corrupt = corruption(spec.corruption, spec.amount, cast(Real, data))

    def _seen(self, x: Tensor) -> Tensor:
        return self.corrupt(x) if self.training else x

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the wrapped encoder's latent."""
        return ask(self.network, self._seen(x), context)

    def code(self, latent: Tensor) -> Tensor:
        """Return the wrapped encoder's code."""
        return self.network.code(latent)

    def latent(self, code: Tensor) -> Tensor:
        """Return the wrapped encoder's latent of a code."""
        return self.network.latent(code)


class CorruptedPosterior(CorruptedEncoder):
    """The same round an encoder with a posterior."""

    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """Return the wrapped encoder's posterior."""
        return cast(Posterior, self.network).posterior(self._seen(x), context)


class CorruptedTransposable(CorruptedEncoder):
    """The same round a network whose weights a decoder shares."""

    def weights(self) -> list[Tensor]:
        """Return the wrapped network's weights."""
        return cast(Transposable, self.network).weights()

    def activate(self, x: Tensor) -> Tensor:
        """Return the wrapped network's activation."""
        return cast(Transposable, self.network).activate(x)


def corrupted(spec: Corrupted, data: Space, context: ContextSpace | None) -> CorruptedEncoder:
    """Make the wrapper that has the traits of the encoder it wraps."""
    network = spec.network.build(spec.network.spaces(data, context))
    if isinstance(network, Posterior):
        return CorruptedPosterior(spec, network, data)
    if isinstance(network, Transposable):
        return CorruptedTransposable(spec, network, data)
    return CorruptedEncoder(spec, network, data)
