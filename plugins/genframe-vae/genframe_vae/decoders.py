"""Decoders that give a likelihood p(x|z): a network for its parameters, and a distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor, nn

from genframe import Context, ContextSpace, Decoder, Encoder, Real, Space, Spaces, ask

from .distributions import BernoulliDistribution, CategoricalDistribution, DiscretisedLogistic, NormalDistribution

if TYPE_CHECKING:
    from .specs import CategoricalLikelihood, Discretised, LikelihoodSpec, NormalLikelihood

__all__ = ["BernoulliDecoder", "CategoricalDecoder", "DiscretisedLogisticDecoder", "NormalDecoder"]

LOG_VARIANCE_LIMIT: Final = 20.0


class NetworkDecoder(Decoder):
    """A network that gives a likelihood's parameters."""

    def __init__(
        self, spec: LikelihoodSpec, latent: Space, data: Space, context: ContextSpace | None, encoder: Encoder | None
    ) -> None:
        super().__init__()
        self.network = spec.network.build(Spaces(spec.parameter_space(data), latent, latent, context), encoder)


class BernoulliDecoder(NetworkDecoder):
    """Logits from the network."""

    def likelihood(self, latent: Tensor, context: Context | None = None) -> BernoulliDistribution:
        """Return p(x|z)."""
        return BernoulliDistribution(ask(self.network, latent, context))

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the probability of a one."""
        return self.likelihood(latent, context).mean


class NormalDecoder(NetworkDecoder):
    """Means from the network; variances fixed, one that is learned, or from the network."""

    def __init__(
        self, spec: NormalLikelihood, latent: Space, data: Space, context: ContextSpace | None, encoder: Encoder | None
    ) -> None:
        super().__init__(spec, latent, data, context, encoder)
        self.bounds = (cast(Real, data).low, cast(Real, data).high)
        self.per_pixel = spec.variance == "per_pixel"
        log_variance = torch.tensor(2 * math.log(spec.sigma))
        if spec.variance == "learned":
            self.log_variance: Tensor = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance, persistent=False)

    def likelihood(self, latent: Tensor, context: Context | None = None) -> NormalDistribution:
        """Return p(x|z); per-pixel log-variances are around that of ``sigma`` and clamped to ±20."""
        parameters = ask(self.network, latent, context)
        if not self.per_pixel:
            return NormalDistribution(parameters, self.log_variance)
        mean, raw = parameters.chunk(2, 1)
        return NormalDistribution(mean, (raw + self.log_variance).clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT))

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean, clipped to the data's bounds where it has any."""
        mean = self.likelihood(latent, context).mean
        return mean.clamp(*self.bounds) if self.bounds[0] is not None else mean


class DiscretisedLogisticDecoder(NetworkDecoder):
    """Locations from the network; log-scales from the network too, or one that is learned."""

    def __init__(
        self, spec: Discretised, latent: Space, data: Space, context: ContextSpace | None, encoder: Encoder | None
    ) -> None:
        super().__init__(spec, latent, data, context, encoder)
        self.grid = cast(Real, data)
        self.smallest = math.log(2 / ((self.grid.levels or 2) - 1)) - 3
        self.log_scale = nn.Parameter(torch.tensor(-2.0)) if spec.scale == "shared" else None

    def likelihood(self, latent: Tensor, context: Context | None = None) -> DiscretisedLogistic:
        """Return p(x|z).

        Log-scales (of a range of 2) are clamped between a twentieth of a bin, where the middle of a bin has all
        but 1e-4 of its mass, and exp(10).
        """
        parameters = ask(self.network, latent, context)
        location, raw = (parameters, self.log_scale) if self.log_scale is not None else parameters.chunk(2, 1)
        return DiscretisedLogistic(location, raw.clamp(self.smallest, 10.0), self.grid)

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the exact mean."""
        return self.likelihood(latent, context).mean


class CategoricalDecoder(NetworkDecoder):
    """Logits of every class from the network."""

    def __init__(
        self, spec: CategoricalLikelihood, latent: Space, data: Space, context: ContextSpace | None, encoder: Encoder | None
    ) -> None:
        super().__init__(spec, latent, data, context, encoder)
        self.shape = data.shape
        self.grid = data if isinstance(data, Real) else None

    def likelihood(self, latent: Tensor, context: Context | None = None) -> CategoricalDistribution:
        """Return p(x|z)."""
        logits = ask(self.network, latent, context).unflatten(1, (-1, self.shape[0]))  # (B, size * C, ...) -> (B, size, C, ...)
        return CategoricalDistribution(logits, self.grid)

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean of grid values, the most probable of classes."""
        return self.likelihood(latent, context).mean
