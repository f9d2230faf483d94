"""Spec of the masked autoencoder. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import Spaces
from genframe_nets import Activation

from .base import AutoregressiveSpec

if TYPE_CHECKING:
    from genframe import Encoder, Prior

__all__ = ["Made"]


class Made(AutoregressiveSpec):
    """MADE: a perceptron whose masks let each output see the values before it only. Germain et al. 2015.

    Classes enter as unit vectors, levels as numbers from -1 to 1. A draw runs the network once for each value.
    """

    type: Literal["autoregressive/made"] = "autoregressive/made"

    hidden: tuple[PositiveInt, ...] = Field(default=(512, 512), min_length=1, description="units of each hidden layer")
    activation: Activation = Field(default="relu", description="the non-linearity")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..made import MadePrior

        return MadePrior(self, spaces.code, spaces.context)
