"""The trait of priors that are drawn from one value at a time. No torch at run time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from genframe import Context

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Adjust", "Sequential"]

Adjust: TypeAlias = "Callable[[Tensor], Tensor]"
"""Maps the logits (n, values) of the next value to those it is drawn by."""


@runtime_checkable
class Sequential(Protocol):
    """Draws the values of a code one after another, each given those before it.

    ``known`` (n, code) holds codes and ``mask``, of a shape that broadcasts to it, is true where they are given; the others
    are drawn. ``adjust`` maps the logits (n, values) of each next value to those it is drawn by.
    """

    def walk(
        self,
        known: Tensor,
        mask: Tensor,
        context: Context | None = None,
        generator: Generator | None = None,
        *,
        adjust: Adjust | None = None,
    ) -> Iterator[Tensor]:
        """Yield the codes after each value, (n, code); those not reached yet have the first value of the alphabet."""

    def complete(
        self,
        known: Tensor,
        mask: Tensor,
        context: Context | None = None,
        generator: Generator | None = None,
        *,
        adjust: Adjust | None = None,
    ) -> Tensor:
        """Codes (n, code) that are ``known`` where ``mask`` is true, and drawn given all before them elsewhere."""
