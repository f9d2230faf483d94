"""Specs of the networks that keep the grid: of convolutions, and the U-Net and the transformer that read a time. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from genframe import ContextSpace, DecoderSpec, Mismatch, Real, Space, Spaces, require_real, traits
from genframe.types import Conditional, ReadsSequence, TimeConditioned, TraitSet, format_shape

from ..activations import Activation
from ..spaces import require_real_data, spatial
from .vectors import ZERO

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["DiT", "IsotropicDecoder", "UNet"]

ANY_SHAPE: Final = "use {type: nets/mlp, time: true}, which takes any shape"


class IsotropicDecoder(DecoderSpec):
    """Convolutions that keep the grid, from a latent to data of the same 1, 2 or 3 spatial axes. Sandler et al. 2019.

    By default it is the network of Glow's couplings, convolutions of kernel 3, 1 and 3 (Kingma & Dhariwal 2018), with
    ``blocks`` of those of kernel 1; ``residual`` has pre-activation residual blocks in their place (He et al. 2016, fig. 1b;
    Dinh et al. 2017, section 4.1). A context scales and shifts the hidden channels (FiLM, Perez et al. 2018). Bounded data
    come out of a sigmoid. Weights start as those of nets/conv and nets/resnet.
    """

    type: Literal["nets/isotropic"] = "nets/isotropic"
    provides: ClassVar[TraitSet] = traits(Conditional)

    channels: PositiveInt = Field(default=64, description="hidden channels")
    blocks: NonNegativeInt = Field(
        le=1000, default=1, description="hidden depth: convolutions of kernel 1, or residual blocks, in the middle"
    )
    residual: bool = Field(default=False, description="residual blocks in the middle, of two convolutions of kernel 3 each")
    activation: Activation = Field(default="relu", description="the nonlinearity")
    norm: Literal["none", "group"] = Field(default="none", description="normalisation before each activation")
    zero: bool = Field(default=False, description=ZERO)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept latents and data of the same spatial axes, with any number of channels each."""
        latent = require_real(latent, self.type)
        axes = spatial(require_real_data(data, self.type), self.type).shape[1:]
        if latent.shape[1:] != axes:
            raise Mismatch(
                f"{self.type} keeps the grid: for data of {format_shape(axes)} it reads features of {format_shape(axes)}, "
                f"found {latent}",
                "use nets/conv or nets/resnet, which start from vectors and smaller grids, or nets/mlp",
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..isotropic import GridDecoder

        return GridDecoder(
            spatial(spaces.latent, self.type),
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            blocks=self.blocks,
            residual=self.residual,
            activation=self.activation,
            norm=self.norm,
            zero=self.zero,
        )


class TimedDecoder(DecoderSpec):
    """A network from a latent and a time to data on the latent's own grid of one to three spatial axes."""

    provides: ClassVar[TraitSet] = traits(Conditional, ReadsSequence, TimeConditioned)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept latents and data of the same spatial axes, with any number of channels each, and a vector or tokens."""
        self.on_one_grid(latent, data)

    def on_one_grid(self, latent: Space, data: Space) -> tuple[Real, Real]:
        """Return both spaces.

        :raises Mismatch: if they are not real values with the same one to three spatial axes.
        """
        latent, data = require_real(latent, self.type), require_real_data(data, self.type)
        axes = data.shape[1:]
        if not 1 <= len(axes) <= 3:
            raise Mismatch(f"{self.type} needs channels and 1 to 3 spatial axes, found {data}", ANY_SHAPE)
        if latent.shape[1:] != axes:
            raise Mismatch(
                f"{self.type} keeps the grid: for data of {format_shape(axes)} it reads features of {format_shape(axes)}, "
                f"found {latent}",
                ANY_SHAPE,
            )
        return latent, data


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
        le=1000, default=2, description="residual blocks of each level on the way down; on the way up there is one more"
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
        if context is not None and context.sequence is not None and not self.attention:
            raise Mismatch(
                f"{self.type} reads tokens by attention and has none, the context is {context}",
                f"give levels in 'attention', such as [{len(self.channels) - 1}]",
            )

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..unet import UNetDecoder

        self.accepts(spaces.latent, spaces.data, spaces.context)
        return UNetDecoder(
            *self.on_one_grid(spaces.latent, spaces.data),
            spaces.context,
            channels=self.channels,
            blocks=self.blocks,
            attention=self.attention,
            heads=self.heads,
            activation=self.activation,
            dropout=self.dropout,
        )


class DiT(TimedDecoder):
    """A transformer over patches that reads a time. Peebles & Xie 2023, section 3.

    For latents and data on one grid of 1, 2 or 3 spatial axes, so that one network serves sequences, images and volumes or
    video. Each patch is a token, its place a fixed vector of sinusoids. The time, and a context that is a vector, enter by
    adaLN-zero: each block starts as the identity, the output as zero. A context of tokens (L, D) is read by cross-attention
    in each block, whatever the tokens' order (Chen et al. 2024, section 2.3). Bounded data come out of a sigmoid.
    """

    type: Literal["nets/dit"] = "nets/dit"

    patch: PositiveInt = Field(default=2, description="positions of a patch along each axis; divides them")
    dim: int = Field(default=128, ge=8, description="size of each token")
    depth: PositiveInt = Field(le=1000, default=6, description="number of blocks")
    heads: PositiveInt = Field(default=4, description="heads of each attention, which share 'dim'")
    mlp_ratio: PositiveInt = Field(
        le=1000, default=4, description="hidden size of each block's perceptron, in multiples of 'dim'"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> DiT:
        if self.dim % self.heads:
            raise ValueError(f"a 'dim' of {self.dim} cannot be shared by {self.heads} heads")
        return self

    def on_one_grid(self, latent: Space, data: Space) -> tuple[Real, Real]:
        """Return both spaces.

        :raises Mismatch: if they are not real values with the same one to three spatial axes, which patches divide.
        """
        latent, data = super().on_one_grid(latent, data)
        shared = math.gcd(*data.shape[1:])
        if shared % self.patch:
            sizes = ", ".join(str(size) for size in range(1, shared + 1) if shared % size == 0)
            raise Mismatch(
                f"{self.type} cannot cut {data} into patches of {self.patch} along each axis",
                f"a 'patch' of {sizes} would fit" if shared > 1 else "only a 'patch' of 1 would fit",
            )
        return latent, data

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..dit import DiffusionTransformer

        return DiffusionTransformer(
            *self.on_one_grid(spaces.latent, spaces.data),
            spaces.context,
            patch=self.patch,
            dim=self.dim,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
        )
