"""Spec of spectral normalisation. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from genframe import EncoderSpec, Space, Spaces, at, conditional_if
from genframe.types import TraitSet
from genframe_nets import MLP

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Spectral"]


class Spectral(EncoderSpec):
    """Any encoder with the weight of each layer divided by its largest singular value. Miyato et al. 2018, eq. 8.

    The singular value is estimated by power iteration, which runs in training only and is part of the state (ibid.,
    algorithm 1). As the critic of a loss its head is normalised as well.
    """

    type: Literal["gan/spectral"] = "gan/spectral"

    network: EncoderSpec = Field(default=MLP(), description="the encoder whose weights are normalised")
    iterations: PositiveInt = Field(default=1, description="power iterations each time the network runs in training")

    @property
    def provides(self) -> TraitSet:
        """Read the condition if the network does."""
        return conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return the network's latent space."""
        with at("network"):
            return self.network.latent_space(data)

    def code_space(self, data: Space) -> Space:
        """Return the network's code space."""
        with at("network"):
            return self.network.code_space(data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the network and normalise it."""
        from ..spectral import SpectralEncoder

        return SpectralEncoder(self.network.build(self.network.spaces(spaces.data, spaces.context)), self.iterations)
