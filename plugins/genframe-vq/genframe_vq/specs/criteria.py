"""Specs of the loss and of the metrics. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from genframe import Composition, LossSpec, MetricSpec, Needs, Real, Spaces, require_categorical
from genframe.types import Density, Likelihood, ProbabilityMass

from ..traits import VectorQuantised

if TYPE_CHECKING:
    from genframe import Encoder, Loss, Metric

__all__ = ["CodeLength", "CodebookUse", "VqVae"]


class VqVae(LossSpec):
    """Reconstruction + codebook + beta · commitment. van den Oord et al. 2017, eq. 3.

    Reconstruction is minus the log-likelihood in nats (``distortion``) if the decoder has one, else the squared error
    (``error``); it is summed over dimensions and averaged over the batch. The other terms are squared distances of vectors,
    averaged over positions as in sec. 3.2; codebooks that learn by moving averages have no term of their own. The entropy term
    is that of vq/lfq.

    In training, ``perplexity`` and ``usage`` (share of codes that occur) are those of the last full ``window`` of examples,
    averaged over codebooks.
    """

    type: Literal["vq/vqvae"] = "vq/vqvae"
    needs: ClassVar[Needs] = {"encoder": VectorQuantised}

    beta: NonNegativeFloat = Field(default=0.25, description="weight of the commitment of features to their vectors")
    entropy: NonNegativeFloat = Field(default=0.1, description="weight of the entropy term, which only vq/lfq has")
    window: PositiveInt = Field(
        default=10_000, description="examples over which the use of codes is counted; the size of the training data is an epoch"
    )

    def accepts(self, spaces: Spaces) -> None:
        """Accept codes that are indices."""
        require_categorical(spaces.code, "a quantised code", "choose an encoder such as vq/quantizer")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..counting import columns_of
        from ..losses import VqVaeLoss

        code = require_categorical(spaces.code, "a quantised code")
        columns = columns_of(spaces.latent, code)
        return VqVaeLoss(code.size, columns, beta=self.beta, entropy=self.entropy, window=self.window)


class CodebookUse(MetricSpec):
    """Perplexity of codes over a whole split, and the share of them that occur; averaged over codebooks."""

    type: Literal["vq/codebook"] = "vq/codebook"

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a codebook."""
        return _no_codebook(composition)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        from ..metrics import CodebookMetric

        return CodebookMetric()


class CodeLength(MetricSpec):
    """Length of a two-part code in bits per dimension of the data: of the indices, then of the data given them.

    -log2 p(indices) by the prior and -log2 p(x | indices) by the decoder. It is at least -log2 p(x), since it leaves out all
    other indices of the same data. Data with uniform noise pay for the volume of a bin (Theis et al. 2015, sec. 3.1).
    """

    type: Literal["vq/code_length"] = "vq/code_length"

    limit: PositiveInt | None = Field(default=None, description="number of examples to use, the first ones; all if left out")

    def refusal(self, composition: Composition) -> str:
        """Refuse models without a codebook, or with a part that gives no probabilities."""
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

        return CodeLengthMetric(self.limit)


def _no_codebook(composition: Composition) -> str:
    if composition.has("encoder", VectorQuantised):
        return ""
    return "this model has no codebook; choose an encoder with VectorQuantised, such as vq/quantizer"
