"""Spec of the U-Net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from genframe import ContextSpace, Mismatch, Space, Spaces

from ..activations import Activation
from .timed import TimedDecoder, context_sizes

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["UNet"]


class UNet(TimedDecoder):
    """A U-Net of residual blocks that reads a time. Ho et al. 2020, appendix B; Dhariwal & Nichol 2021, section 3.

    For latents and data on one grid of 1, 2 or 3 spatial axes. Each level halves the axes by a convolution of stride 2, odd
    sizes rounded up, and the way back repeats neighbours to exactly the size before; each block there reads what one on the
    way down made. The time, and a context that is a vector, scale and shift each block's channels behind its second group
    normalisation. A context of tokens (L, D) is read by cross-attention, at the levels in ``attention``, whatever the tokens'
    order (Rombach et al. 2022, section 3.3). The last layer starts at zero, as that of each block; other weights by He et al.
    2015, section 2.2. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/unet"] = "nets/unet"

    channels: tuple[PositiveInt, ...] = Field(
        default=(32, 64, 64), min_length=1, description="channels of each level, from the data's grid to the smallest"
    )
    blocks: PositiveInt = Field(
        default=2, description="residual blocks of each level on the way down; on the way up there is one more"
    )
    attention: tuple[NonNegativeInt, ...] = Field(
        default=(), description="levels with self-attention behind each block, counted from 0, the data's grid"
    )
    heads: PositiveInt = Field(default=4, description="heads of each attention, which share its level's channels")
    activation: Activation = Field(default="silu", description="the nonlinearity")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="probability of dropping a block's hidden value in training")

    @model_validator(mode="after")
    def _attention_fits(self) -> UNet:
        for level in self.attention:
            if level >= len(self.channels):
                raise ValueError(f"there is no level {level} for 'attention': 'channels' has 0 to {len(self.channels) - 1}")
            if self.channels[level] % self.heads:
                raise ValueError(f"the {self.channels[level]} channels of level {level} cannot be shared by {self.heads} heads")
        return self

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept latents and data of the same spatial axes, a vector of context, and tokens where there is attention."""
        super().accepts(latent, data, context)
        if context_sizes(context).tokens and not self.attention:
            raise Mismatch(
                f"{self.type} reads tokens by attention and has none, the context is {context}",
                f"give levels in 'attention', such as [{len(self.channels) - 1}]",
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..unet import UNetDecoder

        self.accepts(spaces.latent, spaces.data, spaces.context)
        return UNetDecoder(self, *self.on_one_grid(spaces.latent, spaces.data), spaces.context)
