"""Traits of energy models beyond those of the core, and names of choices. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from genframe.types import Energy, MarkovKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from genframe import Context

__all__ = ["Annealed", "AnnealingPath", "EnergyKernel", "HiddenUnits", "Matching", "MeanField", "Stacked", "Variance", "Walks"]

Matching: TypeAlias = Literal["denoising", "sliced"]
Variance: TypeAlias = Literal["unit", "learned"]


class EnergyKernel(Energy, MarkovKernel, Protocol):
    """Has an energy, and a transition that leaves its distribution unchanged."""


class AnnealingPath(Protocol):
    """Unnormalised distributions f_beta from f_0, whose normaliser is known, to the model at beta = 1, in float64.

    A state (n, state) holds the units that the model's kernel walks over.
    """

    @property
    def log_z_start(self) -> float:
        """Log normaliser of f_0, in nats."""

    def log_z(self) -> float | None:
        """The exact log normaliser of f_1 in nats, by enumeration; ``None`` if that would take too long."""

    def start(self, n: int, generator: Generator | None = None) -> Tensor:
        """``n`` states drawn from f_0: (n, state)."""

    def units_of(self, states: Tensor) -> Tensor:
        """The path's states of the kernel's states: (n, state) -> (n, state)."""

    def advance(self, state: Tensor, before: float, after: float, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """log f_after - log f_before of each state (n,), and the states after a step at ``after``.

        The step is reversible and leaves f_after unchanged.
        """


@runtime_checkable
class Annealed(MarkovKernel, Protocol):
    """Is at the end of a path of distributions that starts from one whose normaliser is known."""

    def annealing_path(self, states: Tensor) -> AnnealingPath:
        """The path from independent units with the marginals of ``states`` (N, state) of its kernel."""


@runtime_checkable
class MeanField(Protocol):
    """Knows a mean-field bound of its energy, and the exact energy of its kernel's states."""

    def state_energy(self, state: Tensor) -> Tensor:
        """Energy of states, in nats: (B, state) -> (B,)."""


@runtime_checkable
class HiddenUnits(Protocol):
    """Has hidden units whose mean activities given a code are known."""

    def hidden_mean(self, code: Tensor) -> Tensor:
        """P(h = 1 | code): (B, code) -> (B, H)."""


@runtime_checkable
class Stacked(Protocol):
    """Is a stack of layers, with weights and biases that lead from a code back to data."""

    def downward(self) -> list[tuple[Tensor, Tensor]]:
        """Weights (below, above) and biases (below,) of each layer, the top first."""


@runtime_checkable
class Walks(Protocol):
    """Draws by Markov chains over the prior's codes."""

    def walk(
        self, prior: Any, code: Tensor, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[Tensor]:
        """The codes (n, code) of chains after each step from ``code``, without end."""
