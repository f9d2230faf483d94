"""Traits of energy models beyond those of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from genframe.traits import MarkovKernel

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Annealed", "AnnealingPath", "HiddenUnits", "MeanField", "Stacked"]


class AnnealingPath(Protocol):
    """Unnormalised distributions f_beta from f_0, whose normaliser is known, to the model at beta = 1, in float64.

    A state is (n, state): units of those that the model's kernel walks over.
    """

    @property
    def log_z_start(self) -> float:
        """Log normaliser of f_0, in nats."""

    def log_z(self) -> float | None:
        """The exact log normaliser of f_1 in nats, by enumeration; ``None`` where that would take too long."""

    def start(self, n: int, generator: Generator) -> Tensor:
        """Draw ``n`` states of f_0."""

    def units_of(self, states: Tensor) -> Tensor:
        """The path's states for the kernel's: (n, state) -> (n, state)."""

    def advance(self, state: Tensor, before: float, after: float, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return log f_after - log f_before of each state (n,), and the states after a step at ``after``.

        The step is reversible and leaves f_after unchanged.
        """


@runtime_checkable
class Annealed(MarkovKernel, Protocol):
    """Lies at the end of a path of distributions that begins at one whose normaliser is known."""

    def annealing_path(self, states: Tensor) -> AnnealingPath:
        """The path from independent units with the marginals of ``states`` (N, state) of its kernel."""


@runtime_checkable
class MeanField(Protocol):
    """Knows its energy by a mean-field bound only, and that of its kernel's states exactly."""

    def state_energy(self, state: Tensor) -> Tensor:
        """Energy of states, in nats: (B, state) -> (B,)."""


@runtime_checkable
class HiddenUnits(Protocol):
    """Has hidden units whose mean activities given a code are known."""

    def hidden_mean(self, code: Tensor) -> Tensor:
        """P(h = 1 | code): (B, code) -> (B, H)."""


@runtime_checkable
class Stacked(Protocol):
    """Is a stack of layers with weights and biases by which a code leads back to data."""

    def downward(self) -> list[tuple[Tensor, Tensor]]:
        """Weights (below, above) and biases (below,) of each layer, the top first."""
