"""Specs of the stack of RBMs and of its decoder. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from genframe import (
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
from genframe.types import DataDependent, Pretrainable, TraitSet

from ..traits import Stacked

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["Stack", "Unstacked"]


def probabilities(data: Space, who: str) -> Real:
    """Return ``data`` if its values can be read as probabilities of bits.

    :raises Mismatch: otherwise.
    """
    space = require_real(data, who)
    if not space.bounded:
        raise Mismatch(f"{who} reads values as probabilities of bits, and these have no bounds: {space}")
    return space


class Stack(EncoderSpec):
    """A stack of restricted Boltzmann machines, pretrained layer by layer. Hinton & Salakhutdinov 2006.

    Bounded data are read as probabilities of bits. In a stage that trains the encoder alone each layer learns by contrastive
    divergence from the mean activities of the layer below, all layers at once (the paper: one after the other). Then the stack
    is the first half of an autoencoder, with energy/unstacked. Without linear units the code is bits, drawn with the top
    layer's probabilities: an RBM as their prior makes a deep belief network (Hinton et al. 2006).
    """

    type: Literal["energy/stack"] = "energy/stack"
    provides: ClassVar[TraitSet] = traits(DataDependent, Pretrainable, Stacked)

    hidden: tuple[PositiveInt, ...] = Field(default=(128, 64), min_length=1, description="sizes of the layers of hidden bits")
    dim: PositiveInt | None = Field(default=None, description="linear units on top, N(., 1); the code is bits if left out")
    k: PositiveInt = Field(default=1, description="transitions of each chain in a step of pretraining (CD-k)")
    weight_decay: NonNegativeFloat = Field(
        default=0.0, description="half of it times the squared weights is added in pretraining, without the biases"
    )

    def latent_space(self, data: Space) -> Space:
        """Return linear units, or probabilities of bits."""
        probabilities(data, self.type)
        return Real((self.dim,)) if self.dim is not None else Real((self.hidden[-1],), 0, 1)

    def code_space(self, data: Space) -> Space:
        """Return linear units, or bits."""
        latent = self.latent_space(data)
        return latent if self.dim is not None else Real(latent.shape, 0, 1, levels=2)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the layers."""
        from ..stack import StackEncoder

        data = probabilities(spaces.data, self.type)
        return StackEncoder(data, self.hidden, dim=self.dim, k=self.k, weight_decay=self.weight_decay)


class Unstacked(DecoderSpec):
    """The layers of energy/stack run backwards, from a code's mean activities to data's means.

    Its weights are its own; they are copied from the stack before its first step of training (Hinton & Salakhutdinov 2006).
    Tied, they are the stack's throughout, as in a deep belief network without fine-tuning.
    """

    type: Literal["energy/unstacked"] = "energy/unstacked"
    needs: ClassVar[Needs] = {"encoder": Stacked}

    tied: bool = Field(default=False, description="share the stack's weights and visible biases")

    @property
    def provides(self) -> TraitSet:
        """Provide DataDependent, unless it has no weights of its own."""
        return traits() if self.tied else traits(DataDependent)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept bounded data; the need for Stacked makes the latent the stack's own."""
        probabilities(data, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the layers."""
        from ..stack import UnstackedDecoder

        if not isinstance(encoder, Stacked):
            raise Unsupported("energy/unstacked needs an encoder with Stacked, such as energy/stack")
        return UnstackedDecoder(probabilities(spaces.data, self.type), encoder, tied=self.tied)
