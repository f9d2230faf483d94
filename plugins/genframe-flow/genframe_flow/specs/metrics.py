"""Spec of the metric of flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Spaces
from genframe.types import Bijective

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Inversion"]


class Inversion(MetricSpec):
    """How far a flow's inverse is from an inverse: the largest and the mean |x - f⁻¹(f(x))| of data, |z - f(f⁻¹(z))| of draws.

    As many latents are drawn from the prior as there are examples. Behrmann et al. 2021, sec. 3, explain why inverses fail.
    """

    type: Literal["flow/inversion"] = "flow/inversion"

    bound: PositiveFloat = Field(default=1e-4, description="the largest error that a result calls within the bound")
    limit: PositiveInt | None = Field(default=None, description="how many examples to use, from the start; all if none")

    def refusal(self, composition: Composition) -> str:
        """Refuse models without an encoder that is one to one."""
        encoder = composition.spec.encoder
        if encoder is not None and Bijective in encoder.provides:
            return ""
        found = "there is none" if encoder is None else f"{encoder.type!r} has no inverse"
        return f"the inversion error is of an encoder with Bijective, and {found}"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..inversion import InversionMetric

        return InversionMetric(self.bound, self.limit)
