"""Specs of the metrics of classifiers, and by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from genframe import Categorical, Composition, MetricSpec, Real, Spaces
from genframe.traits import Density, Identity

from .fields import Limit, RunPath

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["Accuracy", "StackedModes", "why_no_classifier"]


def why_no_classifier(composition: Composition) -> str:
    """Return why a model does not give one class of each condition a probability, or an empty string."""
    data = composition.data
    if not isinstance(data, Categorical) or data.dims != 1:
        return f"the data of this model are {data}, not one class; make them of another data set's labels with data/labels"
    if composition.condition is None:
        return "this model has no condition, so it tells no datum's class from another's"
    if not (composition.has("encoder", Identity) and composition.has("prior", Density)):
        return (
            "the probabilities of classes are read from the prior: it needs the encoder core/identity and a prior with Density"
        )
    return ""


class Accuracy(MetricSpec):
    """Share of data whose most probable class under their condition is their own."""

    type: Literal["metrics/accuracy"] = "metrics/accuracy"

    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models that do not give one class a probability."""
        return why_no_classifier(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..accuracy import AccuracyMetric

        return AccuracyMetric(self)


class StackedModes(MetricSpec):
    """Modes that samples like data/stacked reach, by a classifier of their channels. Lin et al. 2018, sec. 4.2 (PacGAN).

    With k classes and c channels there are k^c modes. The reverse Kullback-Leibler divergence is that of the samples' shares of
    the modes from equal shares. Beside both stand those of as many data, classified alike.
    """

    type: Literal["metrics/stacked_modes"] = "metrics/stacked_modes"

    classifier: RunPath = Field(description="a run of a classifier of images of one channel")
    n: Annotated[int, Field(ge=1)] = Field(default=26_000, description="number of samples, and of data where there are as many")

    def refusal(self, composition: Composition) -> str:
        """Refuse data without channels, and runs that do not classify a channel."""
        data = composition.data
        if not isinstance(data, Real) or len(data.shape) < 2:
            return f"modes are counted in images with channels, found {data}"
        from ..stacks import unusable

        return unusable(self.classifier, data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..stacks import StackedModesMetric

        return StackedModesMetric(self)
