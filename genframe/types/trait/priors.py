"""Traits of priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ..values import Context

__all__ = [
    "Density",
    "Energy",
    "Fittable",
    "GaussianExpectation",
    "MarkovKernel",
    "NormalBase",
    "ProbabilityMass",
    "Tempered",
    "Truncatable",
]


@runtime_checkable
class Density(Protocol):
    """Has an exact log-density that can be computed."""

    def log_prob(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Log density or probability in nats: (B, ...) -> (B,)."""


@runtime_checkable
class Tempered(Protocol):
    """Can be drawn from at a temperature."""

    def sample_at(
        self, temperature: float | Tensor, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """``n`` codes (n, code) at a temperature: 1 is the prior as it is, near 0 its most likely codes alone.

        For normal priors, standard deviations are multiplied by it (Parmar et al. 2018; Kingma & Dhariwal 2018,
        sec. 6). A tensor of temperatures broadcasts over a code's shape.
        """


@runtime_checkable
class Truncatable(Protocol):
    """Can be drawn from with every dimension within a threshold."""

    def sample_within(
        self, threshold: float, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Tensor:
        """``n`` codes of the prior, given that no dimension is more than ``threshold`` from its centre: (n, code)."""


@runtime_checkable
class GaussianExpectation(Protocol):
    """Knows E_q[log p(z)] in closed form from the mean and variance of any q."""

    def expected_log_prob(self, mean: Tensor, variance: Tensor, context: Context | None = None) -> Tensor:
        """E_q[log p(z)] in nats: (B, ...), (B, ...) -> (B,)."""


@runtime_checkable
class Energy(Protocol):
    """Has an unnormalised log-density, log p(z) = -energy(z) - log Z."""

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Energy in nats: (B, ...) -> (B,)."""


@runtime_checkable
class MarkovKernel(Protocol):
    """Has a transition that leaves its distribution unchanged.

    Chains walk over states, which are codes, or hold hidden units beside them.
    """

    def transition(self, state: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """The next state of each chain: (B, state) -> (B, state)."""

    def states(self, code: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """States from which chains walk that begin at codes: (B, code) -> (B, state)."""

    def codes(self, state: Tensor) -> Tensor:
        """The codes that states hold: (B, state) -> (B, code)."""


class ProbabilityMass(Protocol):
    """Gives log-probabilities of discrete values, not log-densities of continuous ones."""


@runtime_checkable
class NormalBase(Protocol):
    """Maps its codes one to one to those of a standard normal distribution, its base."""

    def to_base(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Codes in the base, where the prior is N(0, I): (B, code) -> (B, ...)."""

    def from_base(self, base: Tensor, context: Context | None = None) -> Tensor:
        """The codes of points of the base: (B, ...) -> (B, code)."""


@runtime_checkable
class Fittable(Protocol):
    """Is fitted to codes at once, without gradients."""

    def fit(self, codes: Tensor, context: Context | None = None, generator: Generator | None = None) -> dict[str, Any]:
        """Fit to all codes (N, ...) and return figures about the fit, such as ``log_likelihood`` in nats."""
