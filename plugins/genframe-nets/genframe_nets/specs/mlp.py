"""Specs of the multilayer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import ContextSpace, DecoderSpec, EncoderSpec, Real, Space, Spaces, require_real, traits
from genframe.traits import Conditional, Layered, TimeConditioned, TraitSet

from ..activations import Activation
from ..traits import Transposable
from .output import ZERO, require_real_data

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["MLP", "MLPDecoder"]


class MLP(EncoderSpec):
    """A multilayer perceptron over flattened data of any shape. Rumelhart, Hinton & Williams 1986.

    A context is concatenated to the data. Weights start by He et al. 2015, section 2.2: N(0, 1 / (fan-in · E[f²])), f the
    activation before the layer; biases start at zero.
    """

    type: Literal["nets/mlp"] = "nets/mlp"
    provides: ClassVar[TraitSet] = traits(Conditional, Layered, Transposable)

    hidden: tuple[PositiveInt, ...] = Field(default=(256, 256), description="units of each hidden layer, from data to latent")
    activation: Activation = Field(default="silu", description="what follows each hidden layer")
    dim: PositiveInt | None = Field(
        default=None, description="size of a last linear layer without activation; none leaves the last hidden features"
    )
    norm: Literal["none", "layer", "batch"] = Field(default="none", description="normalisation before each activation")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="probability of dropping a hidden unit in training")

    @model_validator(mode="after")
    def _has_a_layer(self) -> MLP:
        if not self.hidden and self.dim is None:
            raise ValueError("there is no layer: give 'dim' for a linear map, or sizes in 'hidden'")
        return self

    def latent_space(self, data: Space) -> Space:
        """Return vectors of ``dim``, or of the last hidden layer's size."""
        require_real(data, self.type)
        return Real((self.dim if self.dim is not None else self.hidden[-1],))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..mlp import PerceptronEncoder

        return PerceptronEncoder(self, require_real(spaces.data, self.type), spaces.context)


class MLPDecoder(DecoderSpec):
    """A multilayer perceptron from a latent of any shape to data of any shape. Rumelhart, Hinton & Williams 1986.

    A context is concatenated to the latent; with ``time``, a time scales and shifts the units of each hidden layer before its
    activation (FiLM, Perez et al. 2018). Bounded data come out of a sigmoid. Weights start as those of the encoder.
    """

    type: Literal["nets/mlp"] = "nets/mlp"

    hidden: tuple[PositiveInt, ...] = Field(default=(256, 256), description="units of each hidden layer, from latent to data")
    activation: Activation = Field(default="silu", description="what follows each hidden layer")
    norm: Literal["none", "layer", "batch"] = Field(default="none", description="normalisation before each activation")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="probability of dropping a hidden unit in training")
    zero: bool = Field(default=False, description=ZERO)
    time: bool = Field(default=False, description="read a time beside the latent, as the network of a denoiser does")

    @model_validator(mode="after")
    def _time_has_a_layer(self) -> MLPDecoder:
        if self.time and not self.hidden:
            raise ValueError("a time enters hidden layers and there is none: give sizes in 'hidden'")
        return self

    @property
    def provides(self) -> TraitSet:
        """Return the context's trait, and with ``time`` that of a network that reads one."""
        return traits(Conditional) | traits(TimeConditioned) if self.time else traits(Conditional)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real latents and real data of any shapes."""
        require_real(latent, self.type)
        require_real_data(data, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..mlp import PerceptronDecoder, TimedPerceptronDecoder

        made = TimedPerceptronDecoder if self.time else PerceptronDecoder
        return made(self, require_real(spaces.latent, self.type), require_real_data(spaces.data, self.type), spaces.context)
