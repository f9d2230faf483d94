"""Spec of the loss. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from genframe import Categorical, LossSpec, Mismatch, Needs, Spaces

from ..traits import VectorQuantised

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["VqVae"]


class VqVae(LossSpec):
    """Reconstruction + codebook + beta · commitment. van den Oord et al. 2017, eq. 3.

    Reconstruction is minus the log-likelihood of data in nats (``distortion``) where the decoder has one, and else the squared
    error (``error``); it is summed over the dimensions of a datum and averaged over the batch. The other terms are squared
    distances of vectors, averaged over positions as in sec. 3.2; codebooks that learn by moving averages have none of their
    own. The entropy term is that of vq/lfq.

    While training, ``perplexity`` and ``usage`` (share of codes that occur) are of the last ``window`` data, begun anew after
    each, averaged over codebooks.
    """

    type: Literal["vq/vqvae"] = "vq/vqvae"
    needs: ClassVar[Needs] = {"encoder": VectorQuantised}

    beta: NonNegativeFloat = Field(default=0.25, description="weight of the commitment of features to their vectors")
    entropy: NonNegativeFloat = Field(default=0.1, description="weight of the entropy term, which vq/lfq alone has")
    window: PositiveInt = Field(
        default=10_000, description="data over which the use of codes is counted; the size of the training data is an epoch"
    )

    def accepts(self, spaces: Spaces) -> None:
        """Accept codes that are indices."""
        if not isinstance(spaces.code, Categorical):
            raise Mismatch(f"a quantised code is of indices, found {spaces.code}")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..losses import VqVaeLoss

        return VqVaeLoss(self, spaces)
