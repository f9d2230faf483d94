"""Spec of the encoder that draws latents. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from genframe import EncoderSpec, Mismatch, Space, Spaces, at, conditional_if, projected, require_real, traits
from genframe.traits import TraitSet
from genframe_nets import MLP

from ..traits import Corrupting

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Stochastic"]


class Stochastic(EncoderSpec):
    """A latent drawn from corrupted data, z = e + tanh(e' + a(C(x))): the network's activation a in noise. Bengio et al. 2014.

    The corruption C of data and the normal noise e and e' are part of the model, in training and in sampling. Where a latent
    must be a function of the data, as in reconstructions, it is tanh(a(x)), without any of them.
    """

    type: Literal["gsn/stochastic"] = "gsn/stochastic"

    dim: PositiveInt = Field(default=64, description="size of the latent; channels of a spatial one")
    network: EncoderSpec = Field(default=MLP(), description="the network that reads the corrupted data")
    corruption: Literal["salt_and_pepper", "gaussian"] = Field(
        default="salt_and_pepper", description="set values to either bound of the data, or add noise that is not clipped"
    )
    amount: NonNegativeFloat = Field(
        default=0.4,
        description="fraction of values that are corrupted; for gaussian the standard deviation, in units of the data",
    )
    noise: NonNegativeFloat = Field(
        default=0.1, description="standard deviation of the noise before and after the latent's tanh; 2 in the paper"
    )

    @model_validator(mode="after")
    def _is_a_fraction(self) -> Stochastic:
        if self.corruption == "salt_and_pepper" and self.amount > 1:
            raise ValueError(f"the amount of salt and pepper is a fraction of at most 1, found {self.amount:g}")
        return self

    @property
    def provides(self) -> TraitSet:
        """Provide Corrupting; read the condition if the network does."""
        return traits(Corrupting) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return the network's features with ``dim`` in the place of their first axis."""
        space = require_real(data, "corruption")
        if self.corruption == "salt_and_pepper" and not space.bounded:
            with at("corruption"):
                raise Mismatch(f"salt and pepper are the bounds of data, found {space}", "say corruption: gaussian")
        with at("network"):
            return projected(self.network.latent_space(data), self.dim)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..encoders import StochasticEncoder

        return StochasticEncoder(self, require_real(spaces.data, self.type), spaces.context)
