"""Specs of affine autoregressive flows, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Real, Space, Spaces, traits
from genframe.traits import Bijective, Conditional, TraitSet
from genframe_nets.activations import Activation

from .base import FlowSpec, continuous
from .elementwise import LogScale

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Iaf", "Maf", "MaskedFlow"]


class MaskedFlow(FlowSpec):
    """Layers that transform each value as a masked perceptron says from the values before it; data are flattened."""

    provides: ClassVar[TraitSet] = traits(Bijective, Conditional)

    layers: PositiveInt = Field(default=5, description="how many autoregressive layers")
    order: Literal["reversed", "shuffled", "linear"] = Field(
        default="reversed",
        description="the values' order: forwards and backwards in turns, or after a fixed random order or a learned matrix",
    )
    hidden: tuple[PositiveInt, ...] = Field(
        default=(256, 256), min_length=1, description="units of each hidden layer of the masked perceptron"
    )
    activation: Activation = Field(default="relu", description="what follows each hidden layer")
    scale: LogScale = Field(default="tanh", description="how the network's value u gives the scale: exp(u) if exp, ...")
    bound: PositiveFloat = Field(default=3.0, description="largest logarithm of a scale, where scale is tanh")

    def latent_space(self, data: Space) -> Space:
        """Return unbounded vectors."""
        return Real((continuous(data, self.type).dims,))


class Maf(MaskedFlow):
    """Masked autoregressive flow: z_i = exp(s_i) x_i + t_i, given the x before. Papamakarios et al. 2017, eq. 3 and 4.

    Their α is -s, their μ is -exp(-s) t. A density takes one pass of each network, a sample as many as there are values.
    Layers start as the identity, where scale is exp or tanh. A context is an input of each network.
    """

    type: Literal["flow/maf"] = "flow/maf"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..flows import maf

        return maf(self, continuous(spaces.data, self.type), spaces.context)


class Iaf(MaskedFlow):
    """Inverse autoregressive flow: x_i = exp(s_i) z_i + t_i, given the z before. Kingma et al. 2016, sec. 3.

    A sample takes one pass of each network; a density of data, as in training by core/nll, as many as there are values.
    Layers start as the identity, where scale is exp or tanh. A context is an input of each network.
    """

    type: Literal["flow/iaf"] = "flow/iaf"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..flows import iaf

        return iaf(self, continuous(spaces.data, self.type), spaces.context)
