"""Specs of affine autoregressive flows, in both directions. They flatten data of any shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from genframe import Real, Space, Spaces, traits, vector_dims
from genframe.types import Bijective, Conditional, TraitSet
from genframe_nets.activations import Activation

from ..choices import LogScale, MaskedOrder
from .base import FlowSpec, continuous

if TYPE_CHECKING:
    from genframe import Encoder

    from ..encoder import FlowEncoder

__all__ = ["Iaf", "Maf"]


class MaskedFlow(FlowSpec):
    """Layers that transform each value with parameters which a masked perceptron reads from the values before it."""

    provides: ClassVar[TraitSet] = traits(Bijective, Conditional)

    layers: PositiveInt = Field(le=1000, default=5, description="how many autoregressive layers")
    order: MaskedOrder = Field(
        default="reversed",
        description="the order of the values: forwards and backwards in turns, or after a fixed random order or learned matrix",
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

    def stack(self, spaces: Spaces, *, inverted: bool) -> FlowEncoder:
        """Build the layers, from data to latents or ``inverted``."""
        from ..autoregressive import Autoregressive, Inverted
        from ..elementwise import Affine
        from ..stacks import vector_stack

        data, context, affine = continuous(spaces.data, self.type), vector_dims(spaces.context), Affine(self.scale, self.bound)

        def layer(flipped: bool) -> Autoregressive | Inverted:
            made = Autoregressive(data.dims, affine, self.hidden, self.activation, context, flipped=flipped)
            return Inverted(made) if inverted else made

        return vector_stack(data, layer, self.layers, self.order, self.memory)


class Maf(MaskedFlow):
    """Masked autoregressive flow: z_i = exp(s_i) x_i + t_i, given the x before. Papamakarios et al. 2017, eq. 3 and 4.

    Their α is -s, their μ is -exp(-s) t. A density takes one pass of each network, a sample as many as there are values.
    Layers start as the identity, where scale is exp or tanh. A context is an input of each network.
    """

    type: Literal["flow/maf"] = "flow/maf"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        return self.stack(spaces, inverted=False)


class Iaf(MaskedFlow):
    """Inverse autoregressive flow: x_i = exp(s_i) z_i + t_i, given the z before. Kingma et al. 2016, sec. 3.

    A sample takes one pass of each network; a density of data, as in training by core/nll, as many as there are values.
    Layers start as the identity, where scale is exp or tanh. A context is an input of each network.
    """

    type: Literal["flow/iaf"] = "flow/iaf"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        return self.stack(spaces, inverted=True)
