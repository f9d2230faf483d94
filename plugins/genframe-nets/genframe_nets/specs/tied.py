"""Spec of the decoder with tied weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from genframe import ContextSpace, DecoderSpec, Needs, Space, Spaces, require_real, traits
from genframe.traits import Conditional, TraitSet

from ..traits import Transposable
from .output import require_real_data

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["MLPTied"]


class MLPTied(DecoderSpec):
    """The encoder's perceptron run backwards with transposed weights and biases of its own. Vincent et al. 2010, section 2.2.

    The encoder's activation stands between the layers; its normalisation and dropout are not mirrored. Biases start at zero.
    A context is added to the first layer by a linear map of its own. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/tied"] = "nets/tied"
    provides: ClassVar[TraitSet] = traits(Conditional)
    needs: ClassVar[Needs] = {"encoder": Transposable}

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept real latents and real data; that they are the encoder's own is seen when it is built."""
        require_real(latent, self.type)
        require_real_data(data, self.type)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..tied import TransposedDecoder

        return TransposedDecoder(
            require_real(spaces.latent, self.type), require_real_data(spaces.data, self.type), spaces.context, encoder
        )
