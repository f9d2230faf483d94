"""Spec of the reading of drawn shapes. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import Composition, MetricSpec, Real, Spaces

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["ShapesRead"]


class ShapesRead(MetricSpec):
    """What samples of a model of data/shapes show, read off by matching them with everything that data set can draw.

    ``explained`` is the share of squared values that the best one or two objects explain. A model that is conditional on
    captions is asked for the captions of the split in turn, and the shares of objects whose colour, shape and place are right
    are given, of all these attributes together, and of pictures in which all are. The same reading of the data themselves
    stands beside each.
    """

    type: Literal["metrics/shapes"] = "metrics/shapes"

    n: PositiveInt = Field(default=500, description="number of samples")

    def refusal(self, composition: Composition) -> str:
        """Refuse data other than pictures of data/shapes, and conditions other than their captions."""
        from genframe_data import Shapes

        data, condition = composition.data, composition.condition
        pictures = Shapes().data_space().shape
        if not (isinstance(data, Real) and data.shape == pictures and data.bounded):
            return f"shapes are read off pictures of data/shapes, and the data are {data}"
        if condition is not None and condition not in [Shapes(labels=True, objects=most).condition_space() for most in (1, 2)]:
            return f"the condition is {condition}, not a caption of data/shapes"
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..shapes import ShapesMetric

        return ShapesMetric(self)
