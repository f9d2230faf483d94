"""What the specs of all autoregressive priors share. No torch."""

from __future__ import annotations

from typing import ClassVar

from genframe import Categorical, ContextSpace, Mismatch, PriorSpec, Space, traits
from genframe.traits import Conditional, Density, ProbabilityMass, SamplingKind, TraitSet

from ..traits import Sequential

__all__ = ["AutoregressiveSpec", "alphabet_size"]


def alphabet_size(space: Space, who: str) -> int:
    """Return how many values each dimension of a discrete ``space`` can have.

    :raises Mismatch: where the values do not lie on a grid.
    """
    if isinstance(space, Categorical):
        return space.size
    if space.levels is None:
        raise Mismatch(f"{who} is of discrete values, found {space}", "give data with levels, or encode them by a codebook")
    if space.dequantised:
        raise Mismatch(f"{who} is of discrete values, found {space}", "leave dequantise: true out of the data")
    return space.levels


class AutoregressiveSpec(PriorSpec):
    """A prior that is a product of the conditional probabilities of one value after another; abstract.

    Values go in the order of their axes, except that the first of three or more axes, the channels of an image, varies fastest:
    all values of a pixel come together.
    """

    provides: ClassVar[TraitSet] = traits(Density, ProbabilityMass, Conditional, Sequential)
    sampling: ClassVar[SamplingKind] = "sequential"

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept classes and values on a grid, of any shape but a single value's."""
        alphabet_size(code, self.type)
        if not code.shape:
            raise Mismatch(f"{self.type} needs an axis along which to go, found {code}", "give the data an axis: shape [1]")
