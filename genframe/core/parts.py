"""Implementations of the core components."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ..model.model import Model
from ..roles.parts import Decoder, Encoder, Loss, Prior, Sampler
from ..types.errors import Unsupported
from ..types.spaces import Categorical, ContextSpace, Space, vector_dims
from ..types.trait.decoders import Likelihood
from ..types.trait.encoders import Bijective
from ..types.trait.priors import Tempered, Truncatable
from ..types.values import Batch, Context, LossOutput, State, vector_of

__all__ = [
    "AncestralSampler",
    "ExactNll",
    "Identity",
    "IdentityAsDecoder",
    "IndependentClasses",
    "InverseDecoder",
    "OneHotEncoder",
    "StandardNormal",
    "SumOfLosses",
]

LOG_2PI = math.log(2 * math.pi)


class Identity(Encoder):
    """Data as their own latents."""

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return ``x``."""
        return x

    def forward_and_log_det(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return ``x`` and a log-determinant of zero."""
        return x, torch.zeros(len(x), device=x.device)

    def inverse(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return ``latent``."""
        return latent


class OneHotEncoder(Encoder):
    """Classes as unit vectors."""

    def __init__(self, data: Space) -> None:
        super().__init__()
        self.size = cast(Categorical, data).size

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return (B, ..., size) floats."""
        return F.one_hot(x, self.size).float()

    def context(self, condition: Tensor) -> Context:
        """Return one vector for each row: (B, ...) -> (B, classes * size)."""
        return Context(self.encode(condition).flatten(1))


class IdentityAsDecoder(Decoder):
    """Latents as data."""

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return ``latent``."""
        return latent


class InverseDecoder(Decoder):
    """The inverse of an encoder that it refers to without owning its parameters."""

    def __init__(self, encoder: Encoder | None) -> None:
        super().__init__()
        if not isinstance(encoder, Bijective):
            raise Unsupported("core/inverse needs an encoder with Bijective")
        self._encoder: tuple[Bijective] = (encoder,)  # in a tuple, so that torch does not register it a second time

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the encoder's inverse of ``latent``."""
        return self._encoder[0].inverse(latent, context)


class StandardNormal(Prior):
    """N(0, I)."""

    def __init__(self, code: Space) -> None:
        super().__init__()
        self.shape = code.shape
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws."""
        origin = cast(Tensor, self.origin)
        return torch.randn(n, *self.shape, generator=generator, device=origin.device, dtype=origin.dtype)

    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws of N(0, temperature² I)."""
        return temperature * self.sample(n, context, generator)

    def sample_within(
        self, threshold: float, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return ``n`` draws of N(0, I) within ±``threshold`` in every dimension, by the inverse distribution function."""
        share = math.erf(threshold / math.sqrt(2))
        origin = cast(Tensor, self.origin)
        uniform = torch.rand(n, *self.shape, generator=generator, device=origin.device, dtype=origin.dtype)
        return (math.sqrt(2) * torch.erfinv(share * (2 * uniform - 1))).clamp(-threshold, threshold)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-density in nats."""
        return -0.5 * (code.square() + LOG_2PI).flatten(1).sum(1)

    def to_base(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the codes: the prior is its own base."""
        return code

    def from_base(self, base: Tensor, context: Context | None = None) -> Tensor:
        """Return the points of the base."""
        return base

    def expected_log_prob(self, mean: Tensor, variance: Tensor, context: Context | None = None) -> Tensor:
        """Return E_q[log p] of any q with these moments: only the first two matter."""
        return -0.5 * (mean.square() + variance + LOG_2PI).flatten(1).sum(1)


class IndependentClasses(Prior):
    """Classes whose logits are parameters, or linear in the flattened context."""

    def __init__(self, code: Space, context: ContextSpace | None) -> None:
        super().__init__()
        classes = cast(Categorical, code)
        self.shape = (classes.size, *classes.shape)  # of the logits
        self.head = nn.Linear(vector_dims(context), math.prod(self.shape)) if context is not None else None
        if self.head is None:
            self.logits = nn.Parameter(torch.zeros(self.shape))

    def _logits(self, n: int, context: Context | None) -> Tensor:
        """Return the logits of ``n`` codes: (n, size, ...)."""
        if self.head is None:
            return self.logits.expand(n, *self.shape)
        logits: Tensor = self.head(cast(Tensor, vector_of(context)).flatten(1))
        return logits.reshape(n, *self.shape)

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` draws, by the Gumbel-max trick."""
        logits = self._logits(n, context)
        return (logits - torch.empty_like(logits).exponential_(generator=generator).log()).argmax(1)

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the log-probability in nats."""
        surprise = F.cross_entropy(self._logits(len(code), context), code, reduction="none")  # (B, ...)
        return -surprise.reshape(len(code), -1).sum(1)


class ExactNll(Loss):
    """Minus the exact log-density, averaged over the batch, in nats."""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the mean negative log-density."""
        nll = -model.log_prob(batch.x, batch.condition).nats.mean()
        return LossOutput(nll, {"nll": nll.detach()})


class SumOfLosses(Loss):
    """Weighted losses, added for each player; a loss takes part in the steps of its own ``players``."""

    def __init__(self, terms: Sequence[Loss], weights: Sequence[float]) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(weights)

    def _of(self, player: str) -> Iterator[tuple[Loss, float]]:
        for loss, weight in zip(self._losses, self.weights, strict=True):
            if player in loss.players:
                yield loss, weight

    @property
    def _losses(self) -> list[Loss]:
        return [loss for loss in self.terms if isinstance(loss, Loss)]

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted sum of the terms in which ``player`` takes part; of equal metric names the later term's stays."""
        outputs = [(loss(model, batch, player), weight) for loss, weight in self._of(player)]
        total = sum((weight * output.total for output, weight in outputs), start=torch.zeros((), device=batch.x.device))
        return LossOutput(total, {name: value for output, _ in outputs for name, value in output.metrics.items()})

    def begin(self, model: Model) -> None:
        """Let every term begin."""
        for loss in self._losses:
            loss.begin(model)

    def player_parameters(self, model: Model, player: str) -> Iterable[nn.Parameter]:
        """Return what ``player`` owns in any term, each parameter once."""
        owned = (parameter for loss, _ in self._of(player) for parameter in loss.player_parameters(model, player))
        return list(dict.fromkeys(owned))


class AncestralSampler(Sampler):
    """One state: a code drawn from the prior, at temperatures where they are not all 1 or within a threshold, and decoded."""

    def __init__(self, draw: str, temperatures: tuple[float, ...] = (1.0,), truncation: float | None = None) -> None:
        self.draw_from_likelihood = draw == "sample"
        self.temperatures = temperatures
        self.truncation = truncation

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the decoded codes."""
        latent = model.latents(self._code(model, n, context, generator))
        if self.draw_from_likelihood and isinstance(model.decoder, Likelihood):
            x = model.decoder.likelihood(latent, context).rsample(generator)
        else:
            x = model.decoder.decode(latent, context)
        yield State(x, 1, 1)

    def _code(self, model: Model, n: int, context: Context | None, generator: Generator | None) -> Tensor:
        if self.truncation is not None:
            return cast(Truncatable, model.prior).sample_within(self.truncation, n, context, generator)
        if all(temperature == 1 for temperature in self.temperatures):
            return model.prior.sample(n, context, generator)
        prior = cast(Tempered, model.prior)
        if len(self.temperatures) == 1:
            return prior.sample_at(self.temperatures[0], n, context, generator)
        return prior.sample_at(self._by_dimension(model), n, context, generator)

    def _by_dimension(self, model: Model) -> Tensor:
        """Return the temperature of each dimension, by its level: (code)."""
        sizes = torch.tensor(model.composition.levels, device=model.device)
        temperatures = torch.tensor(self.temperatures, device=model.device)
        return temperatures.repeat_interleave(sizes).reshape(model.composition.code.shape)
