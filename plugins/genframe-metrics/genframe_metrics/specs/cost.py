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

    A pass is a product or a convolution with one and the same weight; the most used weight is counted. Samples are drawn as one
    batch, so that no row is wasted.
    """

    type: Literal["metrics/sampling_cost"] = "metrics/sampling_cost"

    batch: PositiveInt = Field(default=64, description="samples that are drawn together")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..cost import SamplingCostMetric

        return SamplingCostMetric(self.batch)


class SamplingTime(MetricSpec):
    """Wall-clock seconds per sample of a batch that is drawn together.

    The stamp names the processor, the number of threads and the version of torch: times of two machines do not compare, and
    those of a busy machine vary.
    """

    type: Literal["metrics/sampling_time"] = "metrics/sampling_time"
    reproducible: ClassVar[bool] = False

    batch: PositiveInt = Field(default=64, description="samples that are drawn together")
    repeats: Annotated[int, Field(ge=2)] = Field(default=5, description="batches that are timed, after one that is not")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from ..cost import SamplingTimeMetric

        return SamplingTimeMetric(self.batch, self.repeats)
