"""Spec of the count of modes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, PositiveFloat

from genframe import Composition, MetricSpec, Real, Spaces

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Modes", "Places"]

Places: TypeAlias = tuple[tuple[float, float], ...]
GRID25: Places = tuple((2.0 * row - 4, 2.0 * column - 4) for row in range(5) for column in range(5))
RING8: Places = tuple((math.cos(math.pi * turn / 4), math.sin(math.pi * turn / 4)) for turn in range(8))


class Modes(MetricSpec):
    """Modes that samples reach, samples near one, and how evenly modes share them. Lin et al. 2018, sec. 4.1 (PacGAN).

    A sample of high quality lies within ``within`` standard deviations of its nearest mode; a mode counts if it has one such
    sample. The reverse Kullback-Leibler divergence is that of the shares of the modes, each sample counted for its nearest,
    from equal shares. Beside each stands its expectation for a sampler that draws from the true distribution.
    """

    type: Literal["metrics/modes"] = "metrics/modes"

    toy: Literal["grid25", "ring8"] = Field(default="grid25", description="the distribution of data/toy with these modes")
    n: Annotated[int, Field(ge=1)] = Field(default=2500, description="number of samples")
    within: PositiveFloat = Field(default=3.0, description="standard deviations from a mode that are near enough")

    @property
    def places(self) -> Places:
        """The modes."""
        return GRID25 if self.toy == "grid25" else RING8

    @property
    def sigma(self) -> float:
        """The standard deviation around each mode, in units of the data."""
        return 0.05 if self.toy == "grid25" else 0.01

    def refusal(self, composition: Composition) -> str:
        """Refuse data that are not points in the plane."""
        if isinstance(composition.data, Real) and composition.data.shape == (2,):
            return ""
        return f"the modes of {self.toy} lie in the plane, and the data are {composition.data}"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..coverage import ModesMetric

        return ModesMetric(self)
