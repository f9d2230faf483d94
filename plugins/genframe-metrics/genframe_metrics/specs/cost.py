"""Specs of what drawing a sample costs. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from genframe import MetricSpec, Spaces

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["SamplingCost", "SamplingTime"]


class SamplingCost(MetricSpec):
    """Passes through the network to draw a sample, and the floating-point operations of its products and convolutions.

    A pass is a product or a convolution with one and the same weight; the weight that takes part in most is counted. Samples
    are drawn as one batch, so that no row is in vain.
    """

    type: Literal["metrics/sampling_cost"] = "metrics/sampling_cost"

    batch: PositiveInt = Field(default=64, description="samples that are drawn together")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..cost import SamplingCostMetric

        return SamplingCostMetric(self)


class SamplingTime(MetricSpec):
    """Wall-clock seconds to draw a sample, of a batch drawn together, divided by its size.

    The stamp names the processor, the number of threads and torch's version: figures of two machines do not compare, and on one
    that has other work to do they swing.
    """

    type: Literal["metrics/sampling_time"] = "metrics/sampling_time"
    reproducible: ClassVar[bool] = False

    batch: PositiveInt = Field(default=64, description="samples that are drawn together")
    repeats: Annotated[int, Field(ge=2)] = Field(default=5, description="batches that are timed, after one that is not")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..cost import SamplingTimeMetric

        return SamplingTimeMetric(self)
