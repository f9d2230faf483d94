"""The denoiser: a network's prediction turned into clean data."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn

from genframe import Context, ContextSpace, Decoder, ask

from .choices import Prediction
from .processes import NoisingProcess

__all__ = ["Coefficients", "DenoisingDecoder", "PreconditionedDecoder", "coefficients", "spread"]

NETWORK_TIMES = 1000.0  # networks read times on the scale of a chain of so many steps


class Coefficients(NamedTuple):
    """Clean data = skip · y_t + out · F(scale · y_t); (B,) each."""

    skip: Tensor
    out: Tensor
    scale: Tensor


def coefficients(
    prediction: Prediction, alpha: Tensor, sigma: Tensor, deviation: float, least: Tensor | float = 0.0
) -> Coefficients:
    """Return how a prediction becomes clean data of a standard ``deviation``: (B,), (B,) -> (B,) each.

    EDM's mixture leaves data of the noise-to-signal ratio ``least`` as they are: Song et al. 2023, app. C.
    """
    noise, signal = sigma.square(), (alpha * deviation).square()
    scale = (noise + signal).rsqrt()
    match prediction:
        case "noise":
            return Coefficients(1 / alpha, -sigma / alpha, scale)
        case "data":
            return Coefficients(torch.zeros_like(alpha), torch.ones_like(alpha), scale)
        case "v":
            norm = alpha.square() + noise
            return Coefficients(alpha / norm, -sigma / norm, scale)
        case "velocity":
            total = alpha + sigma
            return Coefficients(1 / total, -sigma / total, scale)
        case "edm":
            excess = sigma - least * alpha
            shifted = excess.square() + signal
            return Coefficients(alpha * deviation**2 / shifted, excess * deviation * scale, scale)


def spread(values: Tensor, like: Tensor) -> Tensor:
    """Return a value for each example in the shape that broadcasts over data: (B,), (B, ...) -> (B, 1, ...)."""
    shaped = values.reshape(-1, *(1,) * (like.dim() - 1))
    return shaped if shaped.dtype == like.dtype else shaped.to(like.dtype)


class PreconditionedDecoder(Decoder):
    """A network that reads a time, behind coefficients of its process. Root of the denoiser and of consistency functions.

    ``null`` and ``null_sequence`` stand for a context that is left out, where the context has no ``nothing`` of its own. They
    are learned if the loss leaves out contexts.

    :param network: any module that maps noisy data (B, ...) and a keyword ``time`` (B,), from 0 to 1000, to predictions
        (B, ...); :func:`genframe.ask` says how it gets the context.
    :param process: the process whose noise is removed; referred to, not owned.
    :param context: the space of the context, where the network reads one.
    """

    def __init__(self, network: nn.Module, process: NoisingProcess, context: ContextSpace | None = None) -> None:
        super().__init__()
        self._process = (process,)  # in a tuple, so that torch does not register it a second time
        self.network = network
        vector, sequence = (context.vector, context.sequence) if context is not None else (None, None)
        self.null = nn.Parameter(torch.zeros(vector.shape)) if vector is not None else None
        self.null_sequence = nn.Parameter(torch.zeros(sequence.shape)) if sequence is not None else None

    @property
    def process(self) -> NoisingProcess:
        """The process whose noise is removed."""
        return self._process[0]

    @abstractmethod
    def coefficients(self, alpha: Tensor, sigma: Tensor) -> Coefficients:
        """Return how the network's prediction becomes clean data at a signal and noise: (B,), (B,) -> (B,) each."""

    def predict(self, noisy: Tensor, time: Tensor, scale: Tensor, context: Context | None = None) -> Tensor:
        """Return the network's own prediction: (B, ...), (B,), (B,) -> (B, ...)."""
        context = self.null_context(noisy.shape[0]) if context is None else context
        return ask(self.network, noisy * spread(scale, noisy), context, time=NETWORK_TIMES * time)

    def denoise(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Return clean data: (B, ...), (B,) -> (B, ...)."""
        return self.denoise_by(self.coefficients(*self.process.alpha_sigma(time)), noisy, time, context)

    def denoise_by(self, coefficients: Coefficients, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Return clean data by ``coefficients`` that may not be its own: (B, ...), (B,) -> (B, ...)."""
        skip, out, scale = coefficients
        predicted = self.predict(noisy, time, scale, context)
        return spread(skip, noisy) * noisy + spread(out, noisy) * predicted

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return data predicted from the noisiest: (B, ...) -> (B, ...)."""
        ends = torch.ones(len(latent), device=latent.device, dtype=latent.dtype)
        return self.process.restore(self.denoise(latent, ends, context))

    def null_context(self, n: int) -> Context | None:
        """Return what stands for ``n`` contexts that are left out, or ``None`` where there is no condition."""
        if self.null is None and self.null_sequence is None:
            return None
        return Context(_rows(self.null, n), _rows(self.null_sequence, n))


def _rows(null: Tensor | None, n: int) -> Tensor | None:
    return null.expand(n, *null.shape) if null is not None else None


class DenoisingDecoder(PreconditionedDecoder):
    """Predicts clean data from noisy data, and gives the density of data. Karras et al. 2022, eq. 7.

    D(y_t) = skip · y_t + out · F(scale · y_t, t) with a network F. What F predicts sets the coefficients: the noise (Ho et al.
    2020, eq. 11), the data, v = alpha · noise - sigma · data (Salimans & Ho 2022, sec. 4), the velocity noise - data of a
    straight path (Lipman et al. 2023), or EDM's mixture of data and noise (Karras et al. 2022, table 1).

    :param network: any module with ``forward(x, time)``, see :class:`PreconditionedDecoder`.
    :param process: the process whose noise is removed.
    :param prediction: what the network predicts.
    :param context: the space of the context, where the network reads one.
    :param likelihood: how :meth:`data_log_prob` computes log p(x): by the variational bound, or along the probability flow.

    >>> from genframe_diffusion import CosineVP
    >>> class Zero(nn.Module):
    ...     def forward(self, x, time):
    ...         return torch.zeros_like(x)
    >>> decoder = DenoisingDecoder(Zero(), CosineVP(), prediction="data")
    >>> decoder.denoise(torch.randn(4, 3, 8, 8), torch.rand(4)).shape
    torch.Size([4, 3, 8, 8])
    """

    def __init__(
        self,
        network: nn.Module,
        process: NoisingProcess,
        prediction: Prediction = "v",
        context: ContextSpace | None = None,
        likelihood: Literal["bound", "flow"] = "bound",
    ) -> None:
        super().__init__(network, process, context)
        self.prediction, self.exact = prediction, likelihood == "flow"

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> Coefficients:
        """Return how the network's prediction becomes clean data at a signal and noise: (B,), (B,) -> (B,) each."""
        return coefficients(self.prediction, alpha, sigma, self.process.data_deviation)

    def data_log_prob(
        self, x: Tensor, prior: Any, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> tuple[Tensor, str]:
        """Return log p(x) in nats and the name of the method, with ``samples`` draws per example: (B, ...) -> (B,)."""
        if self.exact:
            from .flow import flow_log_prob

            return flow_log_prob(self, x, prior, context, probes=samples, generator=generator), "probability flow"
        from .bound import variational_bound

        return variational_bound(self, x, prior, context, samples=samples, generator=generator), "variational bound"
