"""Spec of flows of splines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from genframe import DecoderSpec, Mismatch, Real, Space, Spaces, at
from genframe_nets import MLPDecoder

from .base import continuous
from .coupling import CouplingFlow, Order

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Spline"]


class Spline(CouplingFlow):
    """Monotone rational-quadratic splines, in couplings or autoregressive. Durkan et al. 2019, sec. 3.

    Outside of the bounds values stay as they are, so data should have about unit deviation. Couplings are as fast one way as
    the other. An autoregressive layer needs as many passes of its network as there are values to draw a sample, and its
    network is nets/mlp, whose weights are masked (Germain et al. 2015).
    """

    type: Literal["flow/spline"] = "flow/spline"

    layer: Literal["coupling", "autoregressive"] = Field(
        default="coupling", description="whether one half says how the other changes, or the values before say it of each value"
    )
    bins: int = Field(default=8, ge=2, lt=1000, description="bins of each spline")
    bound: PositiveFloat = Field(default=3.0, description="the splines lie between -bound and bound; the paper's is 3")
    order: Order = Field(
        default="linear",
        description="what each coupling divides, as in flow/realnvp; an autoregressive layer goes through the values as they "
        "are (halves) or even ones first (even_odd), forwards and backwards in turns, or after a fixed random order or a "
        "learned matrix, which is the paper's",
    )
    network: DecoderSpec = Field(
        default=MLPDecoder(hidden=(256, 256), activation="relu", zero=True),
        description="the network that gives widths, heights and derivatives",
    )

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        if self.layer == "coupling":
            return super().latent_space(data)
        dims = continuous(data, self.type).dims
        with at("network"):
            self.masked_network()
        return Real((dims,))

    def masked_network(self) -> MLPDecoder:
        """Return the network if its weights can be masked.

        :raises Mismatch: otherwise.
        """
        network = self.network
        if not isinstance(network, MLPDecoder):
            raise Mismatch(f"an autoregressive spline masks nets/mlp, found {network.type}", "use nets/mlp, or layer: coupling")
        if network.norm != "none" or network.dropout or not network.hidden:
            raise Mismatch(
                "a masked network has hidden layers, no normalisation and no dropout", "leave norm and dropout out, set hidden"
            )
        return network

    def count(self) -> int:
        """Return widths and heights of the bins, and derivatives between them."""
        return 3 * self.bins - 1

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..flows import spline

        return spline(self, continuous(spaces.data, self.type), spaces.context)
