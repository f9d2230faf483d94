"""Specs of the metrics. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import Composition, MetricSpec, Real, Spaces
from genframe.traits import Density, Likelihood, ProbabilityMass

from ..traits import VectorQuantised

if TYPE_CHECKING:
    from genframe import Encoder, Metric

__all__ = ["CodeLength", "CodebookUse"]


class CodebookUse(MetricSpec):
    """Perplexity of codes over a whole split, and the share of them that occur; averaged over codebooks."""

    type: Literal["vq/codebook"] = "vq/codebook"

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a codebook."""
        return _no_codebook(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..metrics import CodebookMetric

        return CodebookMetric(self)


class CodeLength(MetricSpec):
    """Length of a two-part code in bits per dimension of the data: of the indices, then of the data given them.

    -log2 p(indices) by the prior and -log2 p(x | indices) by the decoder. It is at least -log2 p(x), of which it leaves out all
    other indices of the same data. Data with uniform noise are charged for the volume of a bin (Theis et al. 2015, sec. 3.1).
    """

    type: Literal["vq/code_length"] = "vq/code_length"

    limit: PositiveInt | None = Field(default=None, description="use the first so many data; all if left out")

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a codebook, or a part of which gives no probabilities."""
        spec, data = composition.spec, composition.data
        if _no_codebook(composition):
            return _no_codebook(composition)
        if not composition.has("prior", Density):
            return f"{spec.prior.type} gives indices no probability, so they have no length; choose a prior with Density"
        if not composition.has("decoder", Likelihood):
            return (
                f"{spec.decoder.type} gives data no probability, so they have no length; "
                "choose a decoder with Likelihood, such as vae/discretised_logistic around it"
            )
        if not composition.has("decoder", ProbabilityMass) and not (isinstance(data, Real) and data.dequantised):
            return (
                f"{spec.decoder.type} gives a density, and {data} is not dequantised; "
                "set dequantise: true in the data, or choose a decoder with ProbabilityMass"
            )
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..metrics import CodeLengthMetric

        return CodeLengthMetric(self)


def _no_codebook(composition: Composition) -> str:
    if composition.has("encoder", VectorQuantised):
        return ""
    return "this model has no codebook; choose an encoder with VectorQuantised, such as vq/quantizer"
