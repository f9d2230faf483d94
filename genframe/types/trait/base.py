"""Traits: what a part can do beyond its role, as protocols that its implementation fulfils.

A spec class lists the traits it provides, a loss, sampler or tied part the traits it needs; ``check``
matches the two before anything is built, and the conformance kit checks that the built part has the
methods. Tensors have a batch in front; densities are in nats; ``context`` is the encoded condition or
``None``; ``generator`` is ``None`` for torch's global generator. A plugin may define traits of its own:
any protocol whose docstring's first sentence says what a part with it can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Distribution", "PosteriorDistribution", "Trait", "TraitSet", "methods_of", "traits"]

Trait: TypeAlias = type
TraitSet: TypeAlias = frozenset[Trait]


def traits(*provided: Trait) -> TraitSet:
    """Return the set of ``provided`` traits, for a spec's ``provides``."""
    return frozenset(provided)


class Distribution(Protocol):
    """A batch of distributions over tensors."""

    @property
    def mean(self) -> Tensor:
        """Mean of each distribution: (B, ...)."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density or probability of each value, in nats: (B, ...) -> (B,)."""

    def rsample(self, generator: Generator | None = None) -> Tensor:
        """One draw each, differentiable where the distribution allows it: (B, ...)."""


class PosteriorDistribution(Distribution, Protocol):
    """A batch of approximate posteriors q(z|x) with closed-form entropy."""

    @property
    def variance(self) -> Tensor:
        """Marginal variance of each dimension: (B, ...)."""

    def entropy(self) -> Tensor:
        """Differential entropy in nats: (B,)."""

    def expand(self, samples: int) -> PosteriorDistribution:
        """Repeat each distribution ``samples`` times, neighbours together: batch B -> B * samples."""


def methods_of(trait: Trait) -> list[str]:
    """Return the names of the methods that a part with the trait has, sorted; none for a trait that only says something."""
    return sorted(name for base in trait.__mro__ for name, value in vars(base).items() if callable(value) and name[0] != "_")
