"""Specs of what is counted in samples: modes, and drawn shapes. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Composition, MetricSpec, Real, Spaces

from .fields import RunPath

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Modes", "ShapesRead", "StackedModes"]

Places: TypeAlias = tuple[tuple[float, float], ...]
GRID25: Places = tuple((2.0 * row - 4, 2.0 * column - 4) for row in range(5) for column in range(5))
RING8: Places = tuple((math.cos(math.pi * turn / 4), math.sin(math.pi * turn / 4)) for turn in range(8))


class Modes(MetricSpec):
    """Modes that samples reach, samples near one, and how evenly modes share them. Lin et al. 2018, sec. 4.1 (PacGAN).

    A sample of high quality lies within ``within`` standard deviations of its nearest mode; a mode counts if it has one such
    sample. The reverse Kullback-Leibler divergence is that of the shares of the modes from equal shares, where each sample
    counts for its nearest mode. The expectation of a sampler that draws from the true distribution is reported with each.
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
        """Refuse data that is not points in the plane."""
        if isinstance(composition.data, Real) and composition.data.shape == (2,):
            return ""
        return f"the modes of {self.toy} lie in the plane, and the data is {composition.data}"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..modes import ModesMetric

        return ModesMetric(self.places, self.sigma, self.n, self.within, self.toy)


class ShapesRead(MetricSpec):
    """What samples of a model of data/shapes show, found by matching them with everything that this dataset can draw.

    ``explained`` is the share of squared values that the best one or two objects explain. A model that is conditional on
    captions draws for the captions of the split in turn. The results are the shares of objects whose colour, shape and place
    are right, of right attributes, and of pictures in which all are right. The same of the data is reported with each.
    """

    type: Literal["metrics/shapes"] = "metrics/shapes"

    n: PositiveInt = Field(default=500, description="number of samples")

    def refusal(self, composition: Composition) -> str:
        """Refuse data other than pictures of data/shapes, and conditions other than their captions."""
        from genframe_data import Shapes

        data, condition = composition.data, composition.condition
        pictures = Shapes().data_space().shape
        if not (isinstance(data, Real) and data.shape == pictures and data.bounded):
            return f"shapes are read off pictures of data/shapes, and the data is {data}"
        if condition is not None and condition not in [Shapes(labels=True, objects=most).condition_space() for most in (1, 2)]:
            return f"the condition is {condition}, not a caption of data/shapes"
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..shapes import ShapesMetric

        return ShapesMetric(self.n)


class StackedModes(MetricSpec):
    """Modes that samples like data/stacked reach, by a classifier of their channels. Lin et al. 2018, sec. 4.2 (PacGAN).

    With k classes and c channels there are k^c modes. The reverse Kullback-Leibler divergence is that of the shares of the
    modes from equal shares. The same of as many examples of the data, classified in the same way, is reported with both.
    """

    type: Literal["metrics/stacked_modes"] = "metrics/stacked_modes"

    classifier: RunPath = Field(description="a run of a classifier of images of one channel")
    n: Annotated[int, Field(ge=1)] = Field(
        default=26_000, description="number of samples, and of examples if there are as many"
    )

    def refusal(self, composition: Composition) -> str:
        """Refuse data without channels, and runs that do not classify a channel."""
        data = composition.data
        if not isinstance(data, Real) or len(data.shape) < 2:
            return f"modes are counted in images with channels, found {data}"
        from ..stacks import why_no_modes

        return why_no_modes(self.classifier, data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..stacks import StackedModesMetric

        return StackedModesMetric(self.classifier, self.n)
