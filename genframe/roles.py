"""The base classes of the five parts and of metrics, as torch modules.

Every tensor has the batch in front. ``context`` is the encoded condition, (B, ...) or ``None``; a part
that does not read it ignores it. ``generator`` draws the randomness of sampling; ``None`` means torch's
global generator, which the trainer seeds, saves and restores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Generator, Tensor, nn

from .errors import Unsupported
from .traits import Density, Posterior

if TYPE_CHECKING:
    from .data import Split
    from .model import Model

__all__ = ["Batch", "Decoder", "Encoder", "Loss", "LossOutput", "Metric", "MetricResult", "Prior", "Sampler", "State"]


class Encoder(nn.Module, ABC):
    """How data becomes a latent."""

    @abstractmethod
    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the latent of each datum: (B, data) -> (B, latent)."""

    def codes(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the code of each datum: (B, data) -> (B, code); override where a latent tells its code with effort only."""
        return self.code(self.encode(x, context))

    def code(self, latent: Tensor) -> Tensor:
        """Return what of the latent the prior models: (B, latent) -> (B, code)."""
        return latent

    def latent(self, code: Tensor) -> Tensor:
        """Return the latent that the decoder reads for a code: (B, code) -> (B, latent)."""
        return code


class Decoder(nn.Module, ABC):
    """How a latent becomes data."""

    @abstractmethod
    def decode(self, latent: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the datum of each latent, its mean where it is uncertain: (B, latent) -> (B, data)."""


class Prior(nn.Module, ABC):
    """What codes look like on their own."""

    @abstractmethod
    def sample(self, n: int, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` codes: (n, code)."""

    @property
    def players(self) -> tuple[str, ...]:
        """The players of :meth:`objective`, in the order of their steps."""
        return ("model",)

    def player_parameters(self, player: str) -> Iterable[nn.Parameter]:
        """Return the parameters that ``player`` owns when the prior is trained alone."""
        return self.parameters()

    def objective(self, code: Tensor, context: Tensor | None = None, player: str = "model") -> LossOutput:
        """Return what a stage that trains the prior alone minimises; the mean negative log-density in nats.

        :raises Unsupported: if the prior has no density and no objective of its own.
        """
        if not isinstance(self, Density):
            raise Unsupported(f"{type(self).__name__} has neither a density nor an objective, so it cannot be trained alone")
        nll = -self.log_prob(code, context).mean()
        return LossOutput(nll, {"nll": nll.detach()})


@dataclass
class Batch:
    """Data as a loss sees it: ``x`` (B, data) and the condition (B, ...) before it is encoded."""

    x: Tensor
    condition: Tensor | None = None


@dataclass
class LossOutput:
    """A scalar to minimise, and named scalars to report, detached from the graph."""

    total: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Loss(nn.Module, ABC):
    """What training minimises, one term a player."""

    @abstractmethod
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the player's loss on the batch, averaged over it, in nats where it is a likelihood."""

    def player_parameters(self, model: Model, player: str) -> Iterable[nn.Parameter]:
        """Return the parameters that ``player`` owns: by default all of the model's parts and the loss's own."""
        return [*model.part_parameters(), *self.parameters()]

    def begin(self, model: Model) -> None:
        """Take what is needed from the model, when it is built and again before the first step of training.

        Nothing by default. What is taken, such as a teacher's weights, belongs into the loss's state, as buffers: a resumed run
        has it from its checkpoint.
        """

    def remarks(self, figures: Mapping[str, float]) -> Iterable[str]:
        """Return what a person should read, given the averages of the metrics since the log's last line; none by default."""
        return ()


@dataclass
class State:
    """A step of a sampler's walk: the data so far (n, data), the step's number and how many there will be."""

    x: Tensor
    step: int
    steps: int


class Sampler(ABC):
    """How to walk from the prior to data. Holds no parameters."""

    @abstractmethod
    def trajectory(
        self, model: Model, n: int, context: Tensor | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the states of a walk for ``n`` data; the last one holds the samples."""

    def draw(self, model: Model, n: int, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Return the last state's data: (n, data)."""
        return self.last(self.trajectory(model, n, context, generator))

    def last(self, states: Iterator[State]) -> Tensor:
        """Go through the states of a walk, one at a time, and return the last one's data: (n, data)."""
        kept = deque(states, maxlen=1)
        if not kept:
            raise RuntimeError(f"{type(self).__name__} yielded no state")
        return kept.pop().x


@dataclass(frozen=True)
class MetricResult:
    """A figure with its protocol: two results are comparable only if ``stamp`` is the same.

    ``standard_error`` is of ``value``, in the same ``unit``, where the metric can tell it.
    """

    name: str
    value: float
    unit: str
    stamp: dict[str, Any]
    standard_error: float | None = None
    note: str = ""

    def differs_from(self, other: MetricResult) -> list[str]:
        """Return in what the two are not the same figure by the same protocol, as dotted fields; nothing where they compare."""
        mine, theirs = (_flat({"name": one.name, "unit": one.unit, **one.stamp}) for one in (self, other))
        return [name for name in mine | theirs if name not in mine or name not in theirs or mine[name] != theirs[name]]

    def __str__(self) -> str:
        error = f" ± {self.standard_error:.2g}" if self.standard_error is not None else ""
        return f"{self.name}: {self.value:.5g}{error} {self.unit}".rstrip() + (f" ({self.note})" if self.note else "")


def _flat(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their dotted names."""
    found: dict[str, Any] = {}
    for name, entry in value.items():
        found |= _flat(entry, f"{path}{name}.") if isinstance(entry, Mapping) else {f"{path}{name}": entry}
    return found


class Metric(ABC):
    """Measures a trained model on held-out data."""

    @abstractmethod
    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return the figures on ``split``, a function of ``seed``; ``train`` is for metrics that fit a reference.

        The model's modes and torch's global generator are as before afterwards.
        """


def normal_like(x: Tensor, generator: Generator | None = None) -> Tensor:
    """Return standard normal noise of the shape, type and device of ``x``."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def drawn_latent(encoder: Encoder, x: Tensor, context: Tensor | None = None) -> Tensor:
    """Return the latent of each datum, drawn from its posterior where the encoder has one: (B, data) -> (B, latent)."""
    if hasattr(encoder, "posterior"):  # Posterior, whose isinstance costs 20 µs a step in Python 3.11
        return cast(Posterior, encoder).posterior(x, context).rsample()
    return encoder.encode(x, context)


def generator_for(device: torch.device | str, *seeds: int) -> Generator:
    """Return a generator on ``device`` whose stream is a function of all ``seeds`` together."""
    state = 0x9E3779B97F4A7C15
    for seed in seeds:  # splitmix64, so that neighbouring seeds give unrelated streams
        state = (state + seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return Generator(device).manual_seed(state % 2**63)
