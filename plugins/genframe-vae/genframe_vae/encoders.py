"""Encoders that give a posterior, and the encoder that sees corrupted data."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Context, Encoder, Real, ask, projection
from genframe.types import Posterior, PosteriorDistribution
from genframe_nets import Transposable

from .choices import CorruptionKind
from .corruption import corruption
from .distributions import DiagonalNormal, FullNormal, scale_tril

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
    """A network with a head that gives the parameters of q(z|x); the latent of an example is the mean."""

    def __init__(self, network: nn.Module, features: Real, channels: int) -> None:
        super().__init__()
        self.network = network
        self.head = projection(features, channels)

    def _parameters_of(self, x: Tensor, context: Context | None) -> Tensor:
        parameters: Tensor = self.head(ask(self.network, x, context))
        return parameters

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the posterior's mean: (B, data) -> (B, latent)."""
        return self.posterior(x, context).mean

    @abstractmethod
    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """Return q(z|x): (B, data) -> distributions over (B, latent)."""


class GaussianEncoder(PosteriorEncoder):
    """q(z|x) = N(mean, diag(variance)): a linear head on a network. Kingma & Welling 2013, eq. 9.

    :param network: any module that maps data to features; it may read a context.
    :param features: the space of the network's output: a vector, or channels and spatial axes.
    :param dim: size of the latent, or the channels of a spatial one; it stands in the place of the features' first axis.

    >>> _ = torch.manual_seed(0)
    >>> network = nn.Sequential(nn.Linear(64, 32), nn.ReLU())
    >>> encoder = GaussianEncoder(network, features=Real((32,)), dim=8)
    >>> posterior = encoder.posterior(torch.randn(5, 64))
    >>> posterior.rsample().shape, posterior.entropy().shape
    (torch.Size([5, 8]), torch.Size([5]))
    """

    def __init__(self, network: nn.Module, features: Real, dim: int = 16) -> None:
        super().__init__(network, features, 2 * dim)  # the means, then the log-variances

    def posterior(self, x: Tensor, context: Context | None = None) -> DiagonalNormal:
        """Return q(z|x), its log-variances clamped to ±20 so that no variance over- or underflows."""
        mean, log_variance = self._parameters_of(x, context).chunk(2, 1)
        return DiagonalNormal(mean, F.hardtanh(log_variance, -LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT))  # one kernel back


class FullGaussianEncoder(PosteriorEncoder):
    """q(z|x) = N(mean, L Lᵀ): a linear head on a network gives mean and Cholesky factor. Kingma & Welling 2019, sec. 2.5.1.

    :param network: any module that maps data to a vector of features; it may read a context.
    :param features: the space of the network's output, a vector.
    :param dim: size of the latent.

    >>> _ = torch.manual_seed(0)
    >>> encoder = FullGaussianEncoder(nn.Linear(64, 32), features=Real((32,)), dim=3)
    >>> encoder.posterior(torch.randn(5, 64)).factor.shape
    torch.Size([5, 3, 3])
    """

    def __init__(self, network: nn.Module, features: Real, dim: int = 16) -> None:
        sizes = (dim, dim, dim * (dim - 1) // 2)  # the means, the log-diagonal of L, and what lies below it
        super().__init__(network, features, sum(sizes))
        self.sizes = sizes

    def posterior(self, x: Tensor, context: Context | None = None) -> FullNormal:
        """Return q(z|x), the log-diagonal clamped to ±10, which is a variance within exp(±20)."""
        mean, log_diagonal, lower = self._parameters_of(x, context).split(self.sizes, 1)
        limit = LOG_VARIANCE_LIMIT / 2
        return FullNormal(mean, scale_tril(log_diagonal.clamp(-limit, limit), lower))


class CorruptedEncoder(Encoder):
    """An encoder that sees corrupted data in training, and clean data otherwise. Vincent et al. 2010, sec. 3.3.

    :func:`corrupted` makes the class that has the traits of the encoder.

    :param network: the encoder that sees the corrupted data.
    :param data: the space of the data, whose bounds are salt and pepper.
    :param amount: the fraction of values that are corrupted; for gaussian the standard deviation.

    >>> _ = torch.manual_seed(0)
    >>> encoder = CorruptedEncoder(PerceptronEncoder(Real((64,)), dim=8), Real((64,)), "masking", amount=0.5)
    >>> x = torch.randn(5, 64)
    >>> bool((encoder(x) == encoder(x)).all()), bool((encoder.eval()(x) == encoder(x)).all())
    (False, True)
    """

    def __init__(self, network: Encoder, data: Real, kind: CorruptionKind = "masking", amount: float = 0.25) -> None:
        super().__init__()
        self.network = network
        self.corrupt = corruption(kind, amount, data)

    def _seen(self, x: Tensor) -> Tensor:
        return self.corrupt(x) if self.training else x

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the wrapped encoder's latent: (B, data) -> (B, latent)."""
        return ask(self.network, self._seen(x), context)

    def code(self, latent: Tensor) -> Tensor:
        """Return the wrapped encoder's code: (B, latent) -> (B, code)."""
        return self.network.code(latent)

    def latent(self, code: Tensor) -> Tensor:
        """Return the wrapped encoder's latent of a code: (B, code) -> (B, latent)."""
        return self.network.latent(code)


class CorruptedPosterior(CorruptedEncoder):
    """A :class:`CorruptedEncoder` around an encoder with a posterior.

    >>> _ = torch.manual_seed(0)
    >>> encoder = CorruptedPosterior(GaussianEncoder(nn.Linear(64, 32), features=Real((32,)), dim=8), Real((64,)))
    >>> encoder.posterior(torch.randn(5, 64)).mean.shape
    torch.Size([5, 8])
    """

    network: Any  # an Encoder that is a Posterior: Python's types have no intersections

    def posterior(self, x: Tensor, context: Context | None = None) -> PosteriorDistribution:
        """Return the wrapped encoder's posterior."""
        posterior: PosteriorDistribution = self.network.posterior(self._seen(x), context)
        return posterior


class CorruptedTransposable(CorruptedEncoder):
    """A :class:`CorruptedEncoder` around a network whose weights a decoder shares.

    >>> _ = torch.manual_seed(0)
    >>> encoder = CorruptedTransposable(PerceptronEncoder(Real((64,)), hidden=(), dim=8), Real((64,)))
    >>> TransposedDecoder(encoder, Real((8,)), Real((64,)))(torch.randn(5, 8)).shape
    torch.Size([5, 64])
    """

    network: Any  # an Encoder that is Transposable

    def weights(self) -> list[Tensor]:
        """Return the wrapped network's weights."""
        weights: list[Tensor] = self.network.weights()
        return weights

    def activate(self, x: Tensor) -> Tensor:
        """Return the wrapped network's activation."""
        activated: Tensor = self.network.activate(x)
        return activated


def corrupted(network: Encoder, data: Real, kind: CorruptionKind = "masking", amount: float = 0.25) -> CorruptedEncoder:
    """Return a :class:`CorruptedEncoder` that has the traits of the encoder that it wraps."""
    if isinstance(network, Posterior):
        return CorruptedPosterior(network, data, kind, amount)
    if isinstance(network, Transposable):
        return CorruptedTransposable(network, data, kind, amount)
    return CorruptedEncoder(network, data, kind, amount)
