"""The denoiser: a network's prediction turned into clean data."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Generator, Tensor, nn

from genframe import Context, ContextSpace, Decoder, DecoderSpec, Encoder, Real, Spaces, ask

from .specs.denoiser import DenoiserDecoder, Prediction

if TYPE_CHECKING:
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
    variance = sigma.square() + (alpha * deviation).square()
    scale = variance.rsqrt()
    match prediction:
        case "noise":
            return Coefficients(1 / alpha, -sigma / alpha, scale)
        case "data":
            return Coefficients(torch.zeros_like(alpha), torch.ones_like(alpha), scale)
        case "v":
            norm = alpha.square() + sigma.square()
            return Coefficients(alpha / norm, -sigma / norm, scale)
        case "velocity":
            total = alpha + sigma
            return Coefficients(1 / total, -sigma / total, scale)
        case "edm":
            excess = sigma - least * alpha
            shifted = excess.square() + (alpha * deviation).square()
            return Coefficients(alpha * deviation**2 / shifted, excess * deviation * scale, scale)


def spread(values: Tensor, like: Tensor) -> Tensor:
    """Return a value for each datum in the shape that broadcasts over data: (B,), (B, ...) -> (B, 1, ...)."""
    return values.reshape(-1, *(1,) * (like.dim() - 1)).to(like.dtype)


class PreconditionedDecoder(Decoder):
    """A time-conditioned network behind coefficients of its process, which it refers to without owning it.

    ``null`` and ``null_sequence`` stand for a context that is left out, unless it says itself what stands for nothing. They are
    learned where the loss leaves out contexts.
    """

    def __init__(self, network: DecoderSpec, data: Real, context: ContextSpace | None, encoder: Encoder | None) -> None:
        super().__init__()
        self.data = data
        self._process = (encoder,)  # in a tuple, so that torch does not register it a second time
        space = Real(data.shape)
        self.network = network.build(Spaces(space, space, space, context))
        vector, sequence = (context.vector, context.sequence) if context is not None else (None, None)
        self.null = nn.Parameter(torch.zeros(vector.shape)) if vector is not None else None
        self.null_sequence = nn.Parameter(torch.zeros(sequence.shape)) if sequence is not None else None

    @property
    def process(self) -> NoisingProcess:
        """The process whose noise is removed."""
        return cast("NoisingProcess", self._process[0])

    @abstractmethod
    def coefficients(self, time: Tensor) -> Coefficients:
        """Return how the network's prediction becomes clean data: (B,) -> (B,) each."""

    def predict(self, noisy: Tensor, time: Tensor, scale: Tensor, context: Context | None = None) -> Tensor:
        """Return the network's own prediction: (B, ...), (B,), (B,) -> (B, ...)."""
        context = self.null_context(len(noisy)) if context is None else context
        predicted: Tensor = ask(self.network, noisy * spread(scale, noisy), context, time=NETWORK_TIMES * time)
        return predicted

    def denoise(self, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        """Return clean data: (B, ...), (B,) -> (B, ...)."""
        return self.denoise_by(self.coefficients(time), noisy, time, context)

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
    """Predicts clean data, and the density of data along the way from noise."""

    def __init__(self, spec: DenoiserDecoder, data: Real, context: ContextSpace | None, encoder: Encoder | None) -> None:
        super().__init__(spec.network, data, context, encoder)
        self.prediction, self.exact = spec.prediction, spec.likelihood == "flow"

    def coefficients(self, time: Tensor) -> Coefficients:
        """Return how the network's prediction becomes clean data: (B,) -> (B,) each."""
        return coefficients(self.prediction, *self.process.alpha_sigma(time), self.process.data_deviation)

    def data_log_prob(
        self, x: Tensor, prior: Any, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> tuple[Tensor, str]:
        """Return log p(x) in nats by the way that the spec says, with ``samples`` draws for each datum: (B, ...) -> (B,)."""
        if self.exact:
            from .flow import flow_log_prob

            return flow_log_prob(self, x, prior, context, probes=samples, generator=generator), "probability flow"
        from .bound import variational_bound

        return variational_bound(self, x, prior, context, samples=samples, generator=generator), "variational bound"
