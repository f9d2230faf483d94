"""The base classes of the five parts and of metrics, as torch modules.

Every tensor has its rows (the batch) in front. ``context`` is the encoded condition, or ``None``; a part that does not read it
ignores it. ``generator`` draws the randomness of sampling; ``None`` means torch's global generator, which the trainer seeds,
saves and restores. A part within another is a network: it is called, by :func:`ask`, so that hooks, adapters and wrappers of
torch apply to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import signature
from typing import Any, Final, TypeAlias, cast

from torch import Generator, Tensor, nn

from ..types import Batch, Context, Density, LossOutput, Posterior, Space, State, Unsupported

__all__ = [
    "Decoder",
    "DecoderNetwork",
    "Encoder",
    "EncoderNetwork",
    "Loss",
    "Networks",
    "Prior",
    "Sampler",
    "ask",
    "drawn_latent",
]

Networks: TypeAlias = Callable[[Space, Space], nn.Module]
"""Makes a network from one space to another: a flow asks for one for each of its layers."""


class Encoder(nn.Module, ABC):
    """How data becomes a latent."""

    def forward(self, x: Tensor, context: Any = None) -> Tensor:
        """Return :meth:`encode`'s latent: (B, data) -> (B, latent)."""
        return self.encode(x, context)

    def context(self, condition: Tensor) -> Context:
        """Return the context of each condition, where this encodes conditions; override to give a vector and a sequence."""
        return Context.of(self(condition))

    @abstractmethod
    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the latent of each example: (B, data) -> (B, latent)."""

    def codes(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the code of each example: (B, data) -> (B, code); override where deriving it from the latent is expensive."""
        return self.code(self.encode(x, context))

    def code(self, latent: Tensor) -> Tensor:
        """Return the code of a latent, which the prior models: (B, latent) -> (B, code)."""
        return latent

    def latent(self, code: Tensor) -> Tensor:
        """Return the latent that the decoder reads for a code: (B, code) -> (B, latent)."""
        return code


class Decoder(nn.Module, ABC):
    """How a latent becomes data."""

    def forward(self, latent: Tensor, context: Any = None) -> Tensor:
        """Return :meth:`decode`'s data: (B, latent) -> (B, data)."""
        return self.decode(latent, context)

    @abstractmethod
    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the data of each latent, the mean of a likelihood: (B, latent) -> (B, data)."""


class EncoderNetwork(Encoder):
    """A network that is an encoder by itself: a subclass has ``forward``, with the names that :func:`ask` uses."""

    @abstractmethod
    def forward(self, x: Tensor, context: Any = None) -> Tensor:
        """Return the features of each example: (B, data) -> (B, latent)."""

    def encode(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Return the network's output: (B, data) -> (B, latent)."""
        return ask(self, x, context)


class DecoderNetwork(Decoder):
    """A network that is a decoder by itself: a subclass has ``forward``, with the names that :func:`ask` uses."""

    @abstractmethod
    def forward(self, latent: Tensor, context: Any = None) -> Tensor:
        """Return the data of each latent: (B, latent) -> (B, data)."""

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return the network's output: (B, latent) -> (B, data)."""
        return ask(self, latent, context)


class Prior(nn.Module, ABC):
    """What codes look like on their own."""

    def forward(self, code: Tensor, context: Any = None) -> Tensor:
        """Return the log-density of each code in nats: (B, code) -> (B,).

        :raises Unsupported: if the prior has no density.
        """
        if not isinstance(self, Density):
            raise Unsupported(f"{type(self).__name__} has no density")
        return self.log_prob(code, context)

    @abstractmethod
    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return ``n`` codes: (n, code)."""

    @property
    def players(self) -> tuple[str, ...]:
        """The players of :meth:`objective`, in the order of their steps."""
        return ("model",)

    def player_parameters(self, player: str) -> Iterable[nn.Parameter]:
        """Return the parameters that ``player`` owns when the prior is trained alone."""
        return self.parameters()

    def objective(self, code: Tensor, context: Context | None = None, player: str = "model") -> LossOutput:
        """Return what a stage that trains the prior alone minimises; the mean negative log-density in nats.

        :raises Unsupported: if the prior has no density and no objective of its own.
        """
        if not isinstance(self, Density):
            raise Unsupported(f"{type(self).__name__} has neither a density nor an objective, so it cannot be trained alone")
        nll = -self.log_prob(code, context).mean()
        return LossOutput(nll, {"nll": nll.detach()})


class Loss(nn.Module, ABC):
    """What training minimises, one term per player.

    ``players``: the players in the order of their steps; a model gives its loss those that the loss's spec names.
    ``period``: the number of steps after which it has all of its terms again, where some are left out in most steps.
    """

    players: tuple[str, ...] = ("model",)
    period: int = 1

    def __call__(self, model: Any, batch: Batch, player: str | None = None) -> LossOutput:
        """Return the player's loss on the batch; the player may be left out where there is only one.

        :raises Unsupported: if the loss has no such player, or several and none is named.
        """
        if player is None and len(set(self.players)) == 1:
            player = self.players[0]
        if player not in self.players:
            known = ", ".join(dict.fromkeys(self.players))
            found = f"found {player!r}" if player is not None else "name one"
            raise Unsupported(
                f"{type(self).__name__} has the players {known}, {found}; walk them all: for player in model.players"
            )
        return super().__call__(model, batch, player)  # type: ignore[no-any-return]

    @abstractmethod
    def forward(self, model: Any, batch: Batch, player: str = "model") -> LossOutput:
        """Return the player's loss on the batch, averaged over it, in nats where it is a likelihood."""

    def player_parameters(self, model: Any, player: str) -> Iterable[nn.Parameter]:
        """Return the parameters that ``player`` owns: by default all of the model's parts and the loss's own."""
        return [*model.part_parameters(), *self.parameters()]

    def begin(self, model: Any) -> None:
        """Take what is needed from the model, when it is built and again before the first step of training.

        Nothing by default. What is taken, such as a teacher's weights, must be a buffer, so that
        checkpoints restore it.
        """

    def remarks(self, figures: Mapping[str, float]) -> Iterable[str]:
        """Return what a person should read, given the averages of the metrics since the log's last line; none by default."""
        return ()


class Sampler(ABC):
    """How to walk from the prior to data. Holds no parameters."""

    @abstractmethod
    def trajectory(
        self, model: Any, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield the states of a walk for ``n`` samples; the last one holds the samples."""

    def draw(self, model: Any, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the last state's data: (n, data)."""
        return self.last(self.trajectory(model, n, context, generator))

    def last(self, states: Iterator[State]) -> Tensor:
        """Go through the states of a walk, one at a time, and return the last one's data: (n, data)."""
        kept = deque(states, maxlen=1)
        if not kept:
            raise RuntimeError(f"{type(self).__name__} yielded no state")
        return kept.pop().x


WHOLE: Final = frozenset({"whole"})
_read: dict[type, frozenset[str]] = {}


def ask(network: nn.Module, x: Tensor, context: Context | Tensor | None = None, *, time: Tensor | None = None) -> Tensor:
    """Return what a network makes of ``x``, given by keyword what it reads of ``time``, ``context``, ``sequence`` and ``mask``.

    A network is any module: ``forward(x)``, ``forward(x, context)``, ``forward(x, *, time, context, sequence, mask)``. Its
    ``context`` is the context's vector. A part of genframe is a network too; it is handed the context whole.
    """
    kind = type(network)
    names = _read[kind] if kind in _read else _names_read(network)
    if names is WHOLE:
        return network(x, context)  # type: ignore[no-any-return]
    named = {"time": time} if time is not None and "time" in names else {}
    if isinstance(context, Tensor):
        context = Context.of(context)
    if context is not None:
        if context.vector is not None and "context" in names:
            named["context"] = context.vector
        if context.sequence is not None and "sequence" in names:
            named["sequence"] = context.sequence
            if context.mask is not None and "mask" in names:
                named["mask"] = context.mask
    return network(x, **named)  # type: ignore[no-any-return]


def _names_read(network: nn.Module) -> frozenset[str]:
    """Return the keywords that a class of networks reads, and remember them."""
    original = getattr(network, "_orig_mod", network)  # of a compiled module
    method = type(original).forward
    if method in (Encoder.forward, Decoder.forward):
        names = WHOLE
    else:
        names = frozenset(signature(method).parameters) & {"time", "context", "sequence", "mask"}
    if original is network:
        _read[type(network)] = names
    return names


def drawn_latent(encoder: Encoder, x: Tensor, context: Context | None = None) -> Tensor:
    """Return the latent of each example, drawn from its posterior where the encoder has one: (B, data) -> (B, latent)."""
    if hasattr(encoder, "posterior"):  # Posterior, whose isinstance costs 20 µs a step in Python 3.11
        return cast(Posterior, encoder).posterior(x, context).rsample()
    return encoder.encode(x, context)
