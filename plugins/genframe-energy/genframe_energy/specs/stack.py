"""Specs of the stack of machines and of its decoder. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from genframe import ContextSpace, DecoderSpec, EncoderSpec, Mismatch, Needs, Real, Space, Spaces, require_real, traits
from genframe.traits import DataDependent, Pretrainable, TraitSet

from ..traits import Stacked
from .priors import Rbm

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["Stack", "Unstacked"]


def probabilities(data: Space, who: str) -> Real:
    """Return ``data`` if its values can be taken for probabilities of bits.

    :raises Mismatch: otherwise.
    """
    space = require_real(data, who)
    if not space.bounded:
        raise Mismatch(f"{who} takes values for probabilities of bits, and these have no bounds: {space}")
    return space


class Stack(EncoderSpec):
    """A stack of restricted Boltzmann machines, pretrained layer by layer. Hinton & Salakhutdinov 2006.

    Bounded data count as probabilities of bits. In a stage that trains the encoder alone each layer learns by contrastive
    divergence from the mean activities of the layer below, all layers at once (the paper: one after the other); then the stack
    is an autoencoder's first half, by energy/unstacked. Without linear units the code is bits, drawn with the top layer's
    probabilities: a machine as their prior makes a deep belief network (Hinton et al. 2006).
    """

    type: Literal["energy/stack"] = "energy/stack"
    provides: ClassVar[TraitSet] = traits(DataDependent, Pretrainable, Stacked)

    hidden: tuple[PositiveInt, ...] = Field(default=(128, 64), min_length=1, description="sizes of the layers of hidden bits")
    dim: PositiveInt | None = Field(default=None, description="linear units on top, N(., 1); none, and the code is bits")
    k: PositiveInt = Field(default=1, description="transitions of each chain in a step of pretraining (CD-k)")
    weight_decay: NonNegativeFloat = Field(
        default=0.0, description="half of it times the squared weights is added in pretraining; biases are left alone"
    )

    def latent_space(self, data: Space) -> Space:
        """Return linear units, or probabilities of bits."""
        probabilities(data, self.type)
        return Real((self.dim,)) if self.dim is not None else Real((self.hidden[-1],), 0, 1)

    def code_space(self, data: Space) -> Space:
        """Return linear units, or bits."""
        latent = self.latent_space(data)
        return latent if self.dim is not None else Real(latent.shape, 0, 1, levels=2)

    def machine(self, hidden: int) -> Rbm:
        """Return the spec of a layer with so many hidden units."""
        return Rbm(hidden=hidden)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the layers."""
        from ..stack import StackEncoder

        return StackEncoder(self, probabilities(spaces.data, self.type))


class Unstacked(DecoderSpec):
    """The layers of energy/stack run backwards, from a code's mean activities to data's means.

    Its weights are its own and begin as the stack's, transposed, when it first learns (Hinton & Salakhutdinov 2006); tied they
    are the stack's throughout, as those of a deep belief network without fine-tuning.
    """

    type: Literal["energy/unstacked"] = "energy/unstacked"
    needs: ClassVar[Needs] = {"encoder": Stacked}

    tied: bool = Field(default=False, description="share the stack's weights and visible biases")

    @property
    def provides(self) -> TraitSet:
        """Provide DataDependent, unless it has no weights of its own."""
        return traits() if self.tied else traits(DataDependent)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept bounded data; that the latent is the stack's own follows from the need."""
        probabilities(data, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the layers."""
        from ..stack import UnstackedDecoder

        return UnstackedDecoder(probabilities(spaces.data, self.type), encoder, tied=self.tied)
