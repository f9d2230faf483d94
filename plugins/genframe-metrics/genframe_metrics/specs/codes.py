"""Specs of the metrics of latents as features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from genframe import Categorical, Composition, DatasetSpec, GenframeError, MetricSpec, Real, Spaces
from genframe.ways import way_of

from .fields import Limit

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["CodeLength", "LinearProbe"]


def _no_latent(composition: Composition) -> str:
    """Return why data of the model have no latent, or an empty string."""
    try:
        way_of(composition)
    except GenframeError as error:
        return str(error)
    return ""


class LinearProbe(MetricSpec):
    """Accuracy of a linear classifier of the latents of training data, on held-out data. Alain & Bengio 2016.

    Multinomial logistic regression on standardised latents, with a penalty of l2 / 2 times the squared weights on the mean
    loss; convex, so that it depends on no seed. Labels and splits are those of the data ``of``.
    """

    type: Literal["metrics/linear_probe"] = "metrics/linear_probe"

    of: DatasetSpec = Field(description="data with labels, prepared as the model's; its split of the same name is measured on")
    l2: NonNegativeFloat = Field(default=1e-3, description="weight of the penalty")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a latent, models that are told the label, and data without labels."""
        if composition.condition is not None:
            return "this model reads a condition, so its latents need not tell the label, and may be told it"
        if self.of.data_space() != composition.data:
            return f"the data to probe on are {self.of.data_space()}, the model's {composition.data}; prepare them alike"
        labels = self.of.condition_space()
        if not isinstance(labels, Categorical) or labels.shape:
            return f"a probe tells classes, found the labels {labels}; set labels: true in 'of', if it has any"
        return _no_latent(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..codes import LinearProbeMetric

        return LinearProbeMetric(self)


class CodeLength(MetricSpec):
    """Bits that latents take, rounded and entropy-coded, and the error of what is decoded from them.

    The principal components of training latents are rounded to multiples of ``step``, and each is coded by the frequencies of
    its values in training, one half added to each count (Krichevsky & Trofimov 1981). A held-out value beyond those of
    training becomes the nearest. The rate that an arithmetic coder nears within two bits a datum.
    """

    type: Literal["metrics/code_length"] = "metrics/code_length"

    step: PositiveFloat = Field(default=0.5, description="distance of rounded values, in units of the latents' deviation")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a latent, and data that are classes."""
        if not isinstance(composition.data, Real):
            return f"the data are {composition.data}, and a squared difference of classes has no meaning"
        return _no_latent(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..codes import CodeLengthMetric

        return CodeLengthMetric(self)
