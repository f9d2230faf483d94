"""Specs of variational dequantisation: an encoder from levels to values within their bins, and its decoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from genframe import (
    ContextSpace,
    DecoderSpec,
    EncoderSpec,
    Mismatch,
    Real,
    Space,
    Spaces,
    at,
    conditional_if,
    require_real,
    traits,
)
from genframe.types import Likelihood, Posterior, ProbabilityMass, TraitSet
from genframe_nets import MLPDecoder

from ..spaces import parameter_space

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["Dequantise", "Quantise"]


def levels_of(data: Space, who: str) -> Real:
    """Return ``data`` if its values are levels.

    :raises Mismatch: if they are continuous.
    """
    space = require_real(data, who)
    if not space.discrete:
        hint = "leave dequantise: true out of the data" if space.dequantised else "leave it out for data without levels"
        raise Mismatch(f"{who} is of values on levels, found {space}", hint)
    return space


class Dequantise(EncoderSpec):
    """q(y|x): noise within the bin of each level, y = low + (k + sigmoid(mean + sigma eps)) width. Ho et al. 2019, sec. 3.1.

    Together with flow/quantise, a prior core/model of a flow over y, and vae/elbo or vae/iwae, it gives a lower bound on the
    probability of the levels (eq. 6 to 12). The paper's q has coupling layers before the sigmoid. At first the noise is as near
    to uniform as it can be. Without a network it is uniform, as dequantise: true in the data (Theis et al. 2015, sec. 3.1).
    """

    type: Literal["flow/dequantise"] = "flow/dequantise"

    network: DecoderSpec | None = Field(
        default=MLPDecoder(zero=True),
        description="the network that gives mean and log sigma of each value (nets/isotropic for images); none: uniform noise",
    )

    @property
    def provides(self) -> TraitSet:
        """Provide Posterior; read the condition if the network does."""
        return traits(Posterior) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return the data's space with noise within the bins."""
        space = levels_of(data, self.type)
        if self.network is not None:
            with at("network"):
                self.network.accepts(space, self.parameter_space(space))
        return replace(space, dequantised=True)

    def parameter_space(self, data: Real) -> Real:
        """Return two parameters for each value, stacked along the first axis."""
        if not data.shape:
            raise Mismatch(f"parameters are stacked along the first axis of data, found {data}", "give the data an axis")
        return parameter_space(data, 2)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..dequantisation import DequantiseEncoder

        data = levels_of(spaces.data, self.type)
        if self.network is None:
            return DequantiseEncoder(data)
        return DequantiseEncoder(data, self.network.build(spaces.between(data, self.parameter_space(data))))


class Quantise(DecoderSpec):
    """p(x|y): the level in whose bin y lies, with certainty. Ho et al. 2019, eq. 3."""

    type: Literal["flow/quantise"] = "flow/quantise"
    provides: ClassVar[TraitSet] = traits(Likelihood, ProbabilityMass)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept the dequantised values of ``data``."""
        space = levels_of(data, self.type)
        if latent != replace(space, dequantised=True):
            raise Mismatch(
                f"{self.type} is of dequantised values of {space}, found {latent}", "use the encoder flow/dequantise"
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Build the decoder."""
        from ..dequantisation import QuantiseDecoder

        return QuantiseDecoder(levels_of(spaces.data, self.type))
