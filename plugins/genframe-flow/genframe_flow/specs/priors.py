"""Specs of the priors of flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from genframe import ContextSpace, PriorSpec, Space, Spaces, traits
from genframe.types import Density, GaussianExpectation, NormalBase, Tempered, TraitSet

from .base import continuous

if TYPE_CHECKING:
    from genframe import Encoder, Prior

__all__ = ["LearnedGaussian", "Logistic"]


class Logistic(PriorSpec):
    """Independent standard logistic values, log p = -log(1 + exp(z)) - log(1 + exp(-z)). Dinh et al. 2014, eq. 15."""

    type: Literal["flow/logistic"] = "flow/logistic"
    provides: ClassVar[TraitSet] = traits(Density, NormalBase, Tempered)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept continuous codes."""
        continuous(code, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior."""
        from ..priors import LogisticPrior

        return LogisticPrior(continuous(spaces.code, self.type))


class LearnedGaussian(PriorSpec):
    """Independent normals of learned means and scales. Dinh et al. 2017, sec. 3.6, for the levels of a multi-scale flow."""

    type: Literal["flow/gaussian"] = "flow/gaussian"
    provides: ClassVar[TraitSet] = traits(Density, GaussianExpectation, NormalBase, Tempered)

    per: Literal["dimension", "level"] = Field(
        default="dimension",
        description="what has a mean and a scale of its own: each dimension, or each level of a multi-scale flow (of other "
        "flows: all dimensions together)",
    )

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept continuous codes."""
        continuous(code, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior."""
        from ..encoder import level_sizes
        from ..priors import GaussianPrior

        code = continuous(spaces.code, self.type)
        return GaussianPrior(code, level_sizes(encoder, code.dims) if self.per == "level" else None)
