"""Specs of the networks of vectors: the perceptron, forwards and backwards, and the embedding of classes. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from genframe import (
    Categorical,
    ContextSpace,
    DecoderSpec,
    EncoderSpec,
    Mismatch,
    Needs,
    Real,
    Space,
    Spaces,
    Unsupported,
    require_real,
    traits,
)
from genframe.types import Conditional, Layered, TimeConditioned, TraitSet

from ..activations import Activation
from ..spaces import require_real_data
from ..traits import Transposable

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["MLP", "Embedding", "MLPDecoder", "MLPTied"]

ZERO: Final = "start the last layer at zero, so that all outputs are zero at first (before the sigmoid of bounded data)"


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

        return PerceptronEncoder(
            require_real(spaces.data, self.type),
            spaces.context,
            hidden=self.hidden,
            activation=self.activation,
            dim=self.dim,
            norm=self.norm,
            dropout=self.dropout,
        )


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
        return made(
            require_real(spaces.latent, self.type),
            require_real_data(spaces.data, self.type),
            spaces.context,
            hidden=self.hidden,
            activation=self.activation,
            norm=self.norm,
            dropout=self.dropout,
            zero=self.zero,
        )


class MLPTied(DecoderSpec):
    """The encoder's perceptron run backwards with transposed weights and biases of its own. Vincent et al. 2010, section 2.2.

    The encoder's activation stands between the layers; its normalisation and dropout are not mirrored. Biases start at zero.
    A context is added to the first layer by a linear map of its own. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/tied"] = "nets/tied"
    provides: ClassVar[TraitSet] = traits(Conditional)
    needs: ClassVar[Needs] = {"encoder": Transposable}

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real latents and real data; ``build`` refuses them where they are not the encoder's own."""
        require_real(latent, self.type)
        require_real_data(data, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder, tied to ``encoder``.

        :raises Unsupported: if there is no such encoder, or it does not map the data to the latents.
        """
        from ..tied import TransposedDecoder

        if not isinstance(encoder, Transposable):
            raise Unsupported(f"{self.type} needs an encoder with Transposable, such as nets/mlp")
        latent, data = require_real(spaces.latent, self.type), require_real_data(spaces.data, self.type)
        return TransposedDecoder(encoder, latent, data, spaces.context)


class Embedding(EncoderSpec):
    """A learned vector for each class, as a condition's encoder. Bengio et al. 2003, section 2.

    Vectors start as N(0, I).
    """

    type: Literal["nets/embedding"] = "nets/embedding"

    dim: PositiveInt = Field(default=64, description="size of each class's vector")

    def latent_space(self, data: Space) -> Space:
        """Return one more axis, of ``dim``; a single class gives a vector."""
        return Real((*self._classes(data).shape, self.dim))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder; it reads no context."""
        from ..embedding import EmbeddingTable

        return EmbeddingTable(self._classes(spaces.data), self.dim)

    def _classes(self, data: Space) -> Categorical:
        if not isinstance(data, Categorical):
            raise Mismatch(
                f"{self.type} needs classes, found {data}", "for real values use nets/mlp, or core/identity as they are"
            )
        return data
