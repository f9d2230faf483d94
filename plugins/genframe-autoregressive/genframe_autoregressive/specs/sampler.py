"""Spec of the sampler. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from genframe import Needs, SamplerSpec, Spaces
from genframe.traits import SamplingKind

from ..traits import Sequential

if TYPE_CHECKING:
    from genframe import Encoder, Sampler

__all__ = ["SequentialSampling"]


class SequentialSampling(SamplerSpec):
    """Draws a code value by value from sharpened conditional probabilities, then decodes it.

    First the temperature divides the logits, then ``top_k``, ``top_p`` (Holtzman et al. 2019) and ``min_p`` (Nguyen et al.
    2024) strike values out. With the defaults it draws from the prior as it is. A state for each value.
    """

    type: Literal["autoregressive/sequential"] = "autoregressive/sequential"
    needs: ClassVar[Needs] = {"prior": Sequential}
    sampling: ClassVar[SamplingKind] = "sequential"

    temperature: NonNegativeFloat = Field(default=1.0, description="divides the logits; 0 takes the most probable value")
    top_k: PositiveInt | None = Field(default=None, description="keep the so many most probable values")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="keep the fewest most probable values that together have this probability"
    )
    min_p: float | None = Field(
        default=None, gt=0, le=1, description="keep values of at least this share of the largest probability"
    )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        from ..sampler import SequentialSampler

        return SequentialSampler(self)
