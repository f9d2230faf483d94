"""Decoders that give a likelihood p(x|z): a network for its parameters, and a distribution.

The network is any module. Its output is reshaped to the parameters of the data, so that one that gives vectors will do.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Final

import torch
from torch import Tensor, nn

from genframe import Context, Decoder, Real, Space, ask
from genframe.types import Distribution

from .choices import Scale, Variance
from .distributions import BernoulliDistribution, CategoricalDistribution, DiscretisedLogistic, NormalDistribution
from .parameters import stacked

__all__ = ["BernoulliDecoder", "CategoricalDecoder", "DiscretisedLogisticDecoder", "NormalDecoder"]

LOG_VARIANCE_LIMIT: Final = 20.0


class NetworkDecoder(Decoder):
    """A network that gives a likelihood's parameters; an example is decoded to the likelihood's mean."""

    def __init__(self, network: nn.Module, parameters: Real) -> None:
        super().__init__()
        self.network, self.parameter_shape = network, parameters.shape

    def _parameters_of(self, latent: Tensor, context: Context | None) -> Tensor:
        parameters = ask(self.network, latent, context)
        if parameters.shape[1:] == self.parameter_shape:
            return parameters
        return parameters.reshape(len(latent), *self.parameter_shape)

    @abstractmethod
    def likelihood(self, latent: Tensor, context: Context | None = None) -> Distribution:
        """Return p(x|z): (B, latent) -> distributions over (B, data)."""

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean: (B, latent) -> (B, data)."""
        return self.likelihood(latent, context).mean


class BernoulliDecoder(NetworkDecoder):
    """p(x|z): independent bits, their logits by a network. Kingma & Welling 2013, app. C.1.

    Its mean is the probability of a one.

    :param network: any module that maps latents to a logit for each value.
    :param data: the space of the data.

    >>> _ = torch.manual_seed(0)
    >>> decoder = BernoulliDecoder(nn.Linear(8, 64), data=Real((1, 8, 8), 0.0, 1.0, levels=2))
    >>> z, x = torch.randn(5, 8), torch.ones(5, 1, 8, 8)
    >>> decoder(z).shape, decoder.likelihood(z).log_prob(x).shape
    (torch.Size([5, 1, 8, 8]), torch.Size([5]))
    """

    def __init__(self, network: nn.Module, data: Real) -> None:
        super().__init__(network, Real(data.shape))

    def likelihood(self, latent: Tensor, context: Context | None = None) -> BernoulliDistribution:
        """Return p(x|z)."""
        return BernoulliDistribution(self._parameters_of(latent, context))


class NormalDecoder(NetworkDecoder):
    """p(x|z): independent normals, their means by a network. Kingma & Welling 2013, app. C.2.

    :param network: any module that maps latents to a mean for each value; where the variance is ``per_pixel``, to twice as
        many channels, the means first, then the log-variances.
    :param data: the space of the data; means are clipped to its bounds by ``decode``.
    :param variance: ``fixed``, one ``learned`` number, or ``per_pixel`` from the network.
    :param sigma: standard deviation, in units of the data; where learned, the first one.

    >>> _ = torch.manual_seed(0)
    >>> decoder = NormalDecoder(nn.Linear(8, 3), data=Real((3,)), variance="learned", sigma=0.5)
    >>> decoder.likelihood(torch.randn(5, 8)).log_prob(torch.randn(5, 3)).shape
    torch.Size([5])
    """

    def __init__(self, network: nn.Module, data: Real, *, variance: Variance = "fixed", sigma: float = 1.0) -> None:
        per_pixel = variance == "per_pixel"
        super().__init__(network, stacked(data, 2) if per_pixel else Real(data.shape))
        self.bounds = (data.low, data.high)
        self.per_pixel = per_pixel
        log_variance = torch.tensor(2 * math.log(sigma))
        if variance == "learned":
            self.log_variance: Tensor = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance, persistent=False)

    def likelihood(self, latent: Tensor, context: Context | None = None) -> NormalDistribution:
        """Return p(x|z); per-pixel log-variances are around that of ``sigma`` and clamped to ±20."""
        parameters = self._parameters_of(latent, context)
        if not self.per_pixel:
            return NormalDistribution(parameters, self.log_variance)
        mean, raw = parameters.chunk(2, 1)
        return NormalDistribution(mean, (raw + self.log_variance).clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT))

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the mean, clipped to the data's bounds where it has any."""
        mean = self.likelihood(latent, context).mean
        return mean.clamp(*self.bounds) if self.bounds[0] is not None else mean


class DiscretisedLogisticDecoder(NetworkDecoder):
    """p(x|z): a logistic's mass in the bins of a grid of values, such as 8-bit images. Salimans et al. 2017, eq. 2.

    :param network: any module that maps latents to a location for each value; where scales are ``per_pixel``, to twice as many
        channels, the locations first, then the log-scales.
    :param data: the space of the data, with bounds and levels.
    :param scale: scales ``per_pixel`` from the network, or one learned scale that is ``shared`` by all values.

    >>> _ = torch.manual_seed(0)
    >>> decoder = DiscretisedLogisticDecoder(nn.Linear(8, 128), data=Real((1, 8, 8), 0.0, 1.0, levels=256))
    >>> decoder.likelihood(torch.randn(5, 8)).log_prob(torch.ones(5, 1, 8, 8)).shape
    torch.Size([5])
    """

    def __init__(self, network: nn.Module, data: Real, scale: Scale = "per_pixel") -> None:
        super().__init__(network, stacked(data, 2) if scale == "per_pixel" else Real(data.shape))
        self.grid = data
        self.smallest = math.log(2 / ((data.levels or 2) - 1)) - 3
        self.log_scale = nn.Parameter(torch.tensor(-2.0)) if scale == "shared" else None

    def likelihood(self, latent: Tensor, context: Context | None = None) -> DiscretisedLogistic:
        """Return p(x|z).

        Log-scales (of a range of 2) are clamped between a twentieth of a bin, where the middle of a bin has all
        but 1e-4 of its mass, and exp(10).
        """
        parameters = self._parameters_of(latent, context)
        location, raw = (parameters, self.log_scale) if self.log_scale is not None else parameters.chunk(2, 1)
        return DiscretisedLogistic(location, raw.clamp(self.smallest, 10.0), self.grid)


class CategoricalDecoder(NetworkDecoder):
    """p(x|z): independent classes, their logits by a network. Van den Oord et al. 2016, sec. 2.2.

    It decodes to the mean of values on a grid, and to the most probable of classes.

    :param network: any module that maps latents to the logits of all classes, stacked along the first axis of the data.
    :param data: the space of the data: classes, or values on a grid, whose levels are the classes.

    >>> _ = torch.manual_seed(0)
    >>> decoder = CategoricalDecoder(nn.Linear(8, 5 * 12), data=Categorical((12,), 5))
    >>> decoder(torch.randn(2, 8)).shape
    torch.Size([2, 12])
    """

    def __init__(self, network: nn.Module, data: Space) -> None:
        grid = data if isinstance(data, Real) else None
        size = data.size if not isinstance(data, Real) else data.levels or 2
        super().__init__(network, stacked(data, size))
        self.size, self.grid = size, grid

    def likelihood(self, latent: Tensor, context: Context | None = None) -> CategoricalDistribution:
        """Return p(x|z)."""
        logits = self._parameters_of(latent, context).unflatten(1, (self.size, -1))  # (B, size * C, ...) -> (B, size, C, ...)
        return CategoricalDistribution(logits, self.grid)
