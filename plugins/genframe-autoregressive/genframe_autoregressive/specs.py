"""Specs of the priors, the sampler and the encoder of text. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from genframe import (
    Categorical,
    ComponentSpec,
    ContextSpace,
    EncoderSpec,
    Mismatch,
    Needs,
    PriorSpec,
    Real,
    SamplerSpec,
    Space,
    Spaces,
    at,
    traits,
)
from genframe.types import Completing, Conditional, Density, ProbabilityMass, ReadsSequence, TraitSet
from genframe_nets import Activation

from .discrete import alphabet_size
from .traits import Sequential

if TYPE_CHECKING:
    from genframe import Encoder, Prior, Sampler

__all__ = ["AutoregressiveSpec", "Made", "PixelCNN", "PixelRNN", "SequentialSampling", "TextEncoder", "Transformer"]


class AutoregressiveSpec(PriorSpec):
    """A prior that is a product of the conditional probabilities of one value after another; abstract.

    Values go in the order of their axes, except that the first of three or more axes, the channels of an image, varies fastest:
    all values of a pixel come together.
    """

    provides: ClassVar[TraitSet] = traits(Density, ProbabilityMass, Conditional, Sequential)
    sampling = "sequential"

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept classes and values on a grid, of any shape but a single value's."""
        alphabet_size(code, self.type)
        if not code.shape:
            raise Mismatch(f"{self.type} needs an axis along which to go, found {code}", "give the data an axis: shape [1]")


class Made(AutoregressiveSpec):
    """MADE: a perceptron whose masks let each output see the values before it only. Germain et al. 2015.

    Classes enter as unit vectors, levels as numbers from -1 to 1. A draw runs the network once for each value.
    """

    type: Literal["autoregressive/made"] = "autoregressive/made"

    hidden: tuple[PositiveInt, ...] = Field(default=(512, 512), min_length=1, description="units of each hidden layer")
    activation: Activation = Field(default="relu", description="the non-linearity")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior."""
        from .made import MadePrior

        return MadePrior(spaces.code, self.hidden, self.activation, spaces.context)


class RasterSpec(AutoregressiveSpec):
    """A prior of images (H, W) or (C, H, W), row by row; abstract.

    A network sees the pixels before each one. The channels of a pixel follow each other in the output layers, each given the
    channels before it. Levels enter as numbers from -1 to 1, classes as learned vectors.
    """

    channels: PositiveInt = Field(default=64, description="features of each pixel")
    kernel: int = Field(default=3, ge=3, description="width of the layers' kernels, an odd number")
    first_kernel: int = Field(default=7, ge=3, description="width of the first layer's kernel, an odd number")
    mixture: PositiveInt | None = Field(
        default=None,
        description="mix so many discretised logistics, for data with many levels; a probability for each level if left out",
    )

    @field_validator("kernel", "first_kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"a kernel is centred on a pixel, so its width is odd, found {value}; say {value + 1}")
        return value

    def sizes(self) -> dict[str, Any]:
        """Return the arguments that all such priors have."""
        return {name: getattr(self, name) for name in RasterSpec.model_fields if name != "type"}

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept images of discrete values; a mixture is of values on a grid only."""
        alphabet_size(code, self.type)
        if len(code.shape) not in (2, 3):
            raise Mismatch(
                f"{self.type} needs (H, W) or (C, H, W), found {code}",
                "for other shapes use autoregressive/transformer or autoregressive/made",
            )
        if self.mixture is not None and isinstance(code, Categorical):
            with at("mixture"):
                raise Mismatch(f"a mixture of logistics is of values on a grid, found {code}", "leave 'mixture' out")


class PixelCNN(RasterSpec):
    """The gated PixelCNN: a vertical and a horizontal stack of convolutions without a blind spot. Van den Oord et al. 2016b.

    The context enters each gate by a linear map (eq. 4). The mixture is that of Salimans et al. 2017, section 2.1 and 2.2.
    """

    type: Literal["autoregressive/pixelcnn"] = "autoregressive/pixelcnn"

    layers: PositiveInt = Field(le=1000, default=8, description="gated layers")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of each gate's outputs that training sets to zero")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior."""
        from .pixelcnn import PixelCNNPrior

        return PixelCNNPrior(spaces.code, layers=self.layers, dropout=self.dropout, context=spaces.context, **self.sizes())


class PixelRNN(RasterSpec):
    """PixelRNN with row LSTMs: each row's state follows from the row above. Van den Oord et al. 2016a, section 3.1.

    A pixel sees a triangle of the rows above it, and its own row to the left.
    """

    type: Literal["autoregressive/pixelrnn"] = "autoregressive/pixelrnn"

    layers: PositiveInt = Field(le=1000, default=2, description="row LSTMs")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior."""
        from .pixelrnn import PixelRNNPrior

        return PixelRNNPrior(spaces.code, layers=self.layers, context=spaces.context, **self.sizes())


class TransformerFields(ComponentSpec):
    """The sizes of a transformer; abstract."""

    dim: PositiveInt = Field(default=128, description="size of each token's vector")
    depth: PositiveInt = Field(le=1000, default=4, description="number of blocks")
    heads: PositiveInt = Field(default=4, description="attention heads, which share out the vector")
    mlp_ratio: PositiveFloat = Field(default=4.0, description="hidden units of a block's perceptron for each of dim")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of each branch's outputs that training sets to zero")

    def sizes(self) -> dict[str, Any]:
        """Return the arguments that all transformers have."""
        return {name: getattr(self, name) for name in TransformerFields.model_fields if name != "type"}

    @model_validator(mode="after")
    def _heads_of_even_size(self) -> TransformerFields:
        if self.dim % (2 * self.heads):
            raise ValueError(
                f"rotary positions turn pairs, so each of {self.heads} heads takes an even share of dim, found {self.dim}; "
                f"say dim: {-(-self.dim // (2 * self.heads)) * 2 * self.heads}"
            )
        return self


class Transformer(TransformerFields, AutoregressiveSpec):
    """A causal transformer over the flattened values, norms first and with a learned start. Vaswani et al. 2017.

    Positions are rotary (Su et al. 2021). The vector of a context is added to every token; its sequence of vectors (L, D) is
    put in front of them, so that all tokens attend to it.
    """

    type: Literal["autoregressive/transformer"] = "autoregressive/transformer"
    provides: ClassVar[TraitSet] = traits(Density, ProbabilityMass, Conditional, ReadsSequence, Sequential)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept discrete values of any shape, beside a vector, a sequence of vectors, or both."""
        super().accepts(code)
        if context is not None and context.vector is not None and len(context.vector.shape) != 1:
            raise Mismatch(
                f"{self.type} reads a vector, a sequence of vectors, or both as context, found {context}",
                "encode the condition to one or two axes, such as by nets/embedding or autoregressive/text_encoder",
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior."""
        from .transformer import TransformerPrior

        return TransformerPrior(spaces.code, context=spaces.context, **self.sizes())


class TextEncoder(TransformerFields, EncoderSpec):
    """A transformer that reads a sequence of classes, such as the bytes of a caption, in both directions.

    It gives a vector for each place, or their mean. Devlin et al. 2018, section 3, with rotary positions (Su et al. 2021).
    """

    type: Literal["autoregressive/text_encoder"] = "autoregressive/text_encoder"
    provides: ClassVar[TraitSet] = frozenset()

    pool: bool = Field(default=False, description="give the mean of all vectors in place of the sequence")

    def latent_space(self, data: Space) -> Space:
        """Return a vector of ``dim`` for each place, or one for all."""
        self._text(data)
        return Real((self.dim,) if self.pool else (*data.shape, self.dim))

    def _text(self, data: Space) -> Categorical:
        if not isinstance(data, Categorical) or len(data.shape) != 1:
            raise Mismatch(f"{self.type} reads sequences of classes, found {data}", "give text, or use another encoder")
        return data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder; it reads no context."""
        from .text import TextTransformer

        return TextTransformer(self._text(spaces.data), pool=self.pool, **self.sizes())


class SequentialSampling(SamplerSpec):
    """Draws a code value by value from sharpened conditional probabilities, then decodes it.

    First the temperature divides the logits, then ``top_k``, ``top_p`` (Holtzman et al. 2019) and ``min_p`` (Nguyen et al.
    2024) strike values out. With the defaults it draws from the prior as it is. A state for each value.
    """

    type: Literal["autoregressive/sequential"] = "autoregressive/sequential"
    provides: ClassVar[TraitSet] = traits(Completing)
    needs: ClassVar[Needs] = {"prior": Sequential}
    sampling = "sequential"

    temperature: NonNegativeFloat = Field(default=1.0, description="divides the logits; 0 takes the most probable value")
    top_k: PositiveInt | None = Field(default=None, description="keep the so many most probable values")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="keep the fewest most probable values that together have this probability"
    )
    min_p: float | None = Field(
        default=None, gt=0, le=1, description="keep values of at least this share of the largest probability"
    )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Build the sampler."""
        from .sampler import SequentialSampler

        return SequentialSampler(self.temperature, self.top_k, self.top_p, self.min_p)
