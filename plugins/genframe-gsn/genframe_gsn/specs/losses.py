"""Spec of the loss. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from genframe import LossSpec, Needs, Spaces
from genframe.traits import Likelihood

from ..traits import Corrupting

if TYPE_CHECKING:
    from genframe import Encoder, Loss

__all__ = ["Walkback"]


class Walkback(LossSpec):
    """Walkback training: the chain leaves a datum, and each of its steps is to lead back. Bengio et al. 2013; 2014, sec. 3.

    The mean over ``steps`` of -log p(x|z_t) in nats, z_t drawn by the encoder from x_{t-1}, x_t from p(x|z_t), x_0 = x; no
    gradient passes through x_t. One step is a denoising autoencoder.
    """

    type: Literal["gsn/walkback"] = "gsn/walkback"
    needs: ClassVar[Needs] = {"encoder": Corrupting, "decoder": Likelihood}

    steps: PositiveInt = Field(default=5, description="steps of the chain from each datum")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        from ..losses import WalkbackLoss

        return WalkbackLoss(self)
