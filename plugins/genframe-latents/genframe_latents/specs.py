"""Specs of the metrics of latents. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from genframe import Categorical, Composition, DatasetSpec, GenframeError, MetricSpec, Real, Spaces

from .route import route_of

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["CodeLength", "LinearProbe"]

Limit: TypeAlias = Annotated[
    PositiveInt | None, Field(description="use only this many examples, drawn by the seed; all if left out")
]


def _no_latent(composition: Composition) -> str:
    """Return why the model gives its data no latent, or an empty string."""
    try:
        route_of(composition)
    except GenframeError as error:
        return str(error)
    return ""


class LinearProbe(MetricSpec):
    """Accuracy of a linear classifier that reads latents, on held-out examples. Alain & Bengio 2016.

    Multinomial logistic regression on the standardised latents of training examples, with a penalty of l2 / 2 times the squared
    weights on the mean loss. The problem is convex, so the result depends on no seed. Labels and splits come from the dataset
    ``of``.
    """

    type: Literal["latents/linear_probe"] = "latents/linear_probe"

    of: DatasetSpec = Field(
        description="a dataset with labels, prepared like the model's; measured on its split of the same name"
    )
    l2: NonNegativeFloat = Field(default=1e-3, description="weight of the penalty")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a latent, models that read a condition, and datasets without labels."""
        if composition.condition is not None:
            return "this model reads a condition, so its latents need not tell the label, or may be told it"
        if self.of.data_space() != composition.data:
            return f"the probe's data is {self.of.data_space()}, the model's {composition.data}; prepare both in the same way"
        labels = self.of.condition_space()
        if not isinstance(labels, Categorical) or labels.shape:
            return f"a probe predicts classes, found the labels {labels}; set labels: true in 'of', if it has any"
        return _no_latent(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from .metrics import LinearProbeMetric

        return LinearProbeMetric(self.of.load, self.l2, self.limit)


class CodeLength(MetricSpec):
    """Bits of latents that are rounded and entropy-coded, and the error of what is decoded from them.

    The principal components of training latents are rounded to multiples of ``step``. Each component is coded by the
    frequencies of its values in training, with one half added to each count (Krichevsky & Trofimov 1981). A held-out value
    outside the range of training is clipped to it. An arithmetic coder comes within two bits per example of this rate.
    """

    type: Literal["latents/code_length"] = "latents/code_length"

    step: PositiveFloat = Field(default=0.5, description="distance of rounded values, in units of the latents' deviation")
    limit: Limit = None

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a latent, and data that is classes."""
        if not isinstance(composition.data, Real):
            return f"the data is {composition.data}, and a squared difference of classes has no meaning"
        return _no_latent(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Build the metric."""
        from .metrics import CodeLengthMetric

        return CodeLengthMetric(self.step, self.limit)
