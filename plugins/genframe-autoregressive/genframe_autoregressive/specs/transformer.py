"""Specs of the transformer prior and of the encoder of text. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import Categorical, ComponentSpec, ContextSpace, EncoderSpec, Mismatch, Real, Space, Spaces, traits
from genframe.traits import Conditional, Density, ProbabilityMass, ReadsSequence, TraitSet

from ..traits import Sequential
from .base import AutoregressiveSpec

if TYPE_CHECKING:
    from genframe import Encoder, Prior

__all__ = ["TextEncoder", "Transformer"]


class TransformerFields(ComponentSpec):
    """The sizes of a transformer; abstract."""

    dim: PositiveInt = Field(default=128, description="size of each token's vector")
    depth: PositiveInt = Field(default=4, description="number of blocks")
    heads: PositiveInt = Field(default=4, description="attention heads, which share out the vector")
    mlp_ratio: PositiveFloat = Field(default=4.0, description="hidden units of a block's perceptron for each of dim")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of each branch's outputs that training sets to zero")

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

    Positions are rotary (Su et al. 2021). A vector as context is added to every token; a sequence of vectors (L, D) is put in
    front of them, so that all tokens attend to it.
    """

    type: Literal["autoregressive/transformer"] = "autoregressive/transformer"
    provides: ClassVar[TraitSet] = traits(Density, ProbabilityMass, Conditional, ReadsSequence, Sequential)

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Accept discrete values of any shape, beside a vector or a sequence of vectors."""
        super().accepts(code)
        if context is not None and context.vector is not None and context.sequence is None and len(context.vector.shape) != 1:
            raise Mismatch(
                f"{self.type} reads a vector or a sequence of vectors as context, found {context}",
                "encode the condition to one or two axes, such as by nets/embedding or autoregressive/text_encoder",
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Make the prior."""
        from ..transformer import TransformerPrior

        return TransformerPrior(self, spaces.code, spaces.context)


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
        """Make the encoder; it reads no context."""
        from ..text import TextTransformer

        return TextTransformer(self, self._text(spaces.data))
