"""Specs of the convolutional networks, whose stages halve or double the spatial axes. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from genframe import ContextSpace, DecoderSpec, EncoderSpec, Mismatch, Real, Space, Spaces, require_real, traits
from genframe.types import Conditional, Layered, TraitSet, format_shape

from ..activations import Activation
from ..spaces import grids, require_real_data, spatial

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["SNGAN", "Conv", "ConvDecoder", "ResNet", "ResNetDecoder", "SNGANDecoder"]


class SpatialEncoder(EncoderSpec):
    """An encoder of data with one to three spatial axes, which each stage halves."""

    provides: ClassVar[TraitSet] = traits(Conditional)

    channels: tuple[PositiveInt, ...] = Field(
        default=(32, 64), min_length=1, description="channels of each stage, from the data to the smallest grid"
    )
    activation: Activation = Field(default="silu", description="the nonlinearity")
    dim: PositiveInt | None = Field(
        default=None, description="size of a last linear layer over the flattened features; none leaves them spatial"
    )

    def latent_space(self, data: Space) -> Space:
        """Return vectors of ``dim``, or features (channels, axes...) with each axis halved by each stage, rounded up."""
        axes = grids(spatial(data, self.type), len(self.channels))[-1]
        return Real((self.dim,) if self.dim is not None else (self.channels[-1], *axes))


class SpatialDecoder(DecoderSpec):
    """A decoder to data with one to three spatial axes, which each stage doubles."""

    provides: ClassVar[TraitSet] = traits(Conditional)

    channels: tuple[PositiveInt, ...] = Field(
        default=(32, 64),
        min_length=1,
        description="channels of each stage, from the data to the smallest grid, as the encoder's",
    )
    activation: Activation = Field(default="silu", description="the nonlinearity")

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept vectors, and features on the smallest grid of the data."""
        latent = require_real(latent, self.type)
        target = spatial(require_real_data(data, self.type), self.type)
        axes = grids(target, len(self.channels))[-1]
        if len(latent.shape) == 1 or latent.shape[1:] == axes:
            return
        raise Mismatch(
            f"{self.type} starts from a vector or from features of {format_shape(axes)}, found {latent}", _hint(latent, target)
        )


class Conv(SpatialEncoder):
    """Strided convolutions for data of 1, 2 or 3 spatial axes: each stage has stride 2. LeCun et al. 1989.

    With kernel 5, ``leaky_relu_0.2``, norm ``batch`` but in the first stage, and ``dim: 1`` it is the critic of DCGAN
    (Radford et al. 2016, section 3). A context scales and shifts the channels of each stage (FiLM, Perez et al. 2018).
    Weights start by He et al. 2015, section 2.2: N(0, 1 / (fan-in · E[f²])), f the activation before the layer; biases start
    at zero.
    """

    type: Literal["nets/conv"] = "nets/conv"
    provides: ClassVar[TraitSet] = traits(Conditional, Layered)

    norm: Literal["none", "group", "batch"] = Field(default="none", description="normalisation before each activation")
    norm_first: bool = Field(default=True, description="normalise the first stage as well, next to the data")
    kernel: Literal[3, 5] = Field(default=3, description="size of the convolutions")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..conv import ConvolutionalEncoder

        return ConvolutionalEncoder(
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            activation=self.activation,
            dim=self.dim,
            norm=self.norm,
            norm_first=self.norm_first,
            kernel=self.kernel,
        )


class ConvDecoder(SpatialDecoder):
    """Transposed convolutions to data of 1, 2 or 3 spatial axes: the mirror of nets/conv. Radford et al. 2016.

    Each stage has kernel 4, stride 2 (a multiple of the stride, against checkerboards: Odena et al. 2016) and is cropped to
    the data's exact size. Context and first weights as in the encoder. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/conv"] = "nets/conv"

    norm: Literal["none", "group", "batch"] = Field(default="none", description="normalisation before each activation")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..conv import ConvolutionalDecoder

        return ConvolutionalDecoder(
            require_real(spaces.latent, self.type),
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            activation=self.activation,
            norm=self.norm,
        )


class ResNet(SpatialEncoder):
    """Pre-activation residual blocks with group normalisation, behind a strided convolution a stage. He et al. 2016, fig. 1b.

    For data of 1, 2 or 3 spatial axes. A context scales and shifts the channels of each stage (FiLM, Perez et al. 2018).
    The last convolution of each block starts at zero, so that a block starts as the identity (Goyal et al. 2017, section 5.1);
    other weights by He et al. 2015, section 2.2: N(0, 1 / (fan-in · E[f²])), f the activation before the layer.
    """

    type: Literal["nets/resnet"] = "nets/resnet"
    provides: ClassVar[TraitSet] = traits(Conditional, Layered)

    blocks: PositiveInt = Field(le=1000, default=2, description="residual blocks of each stage")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..resnet import ResidualEncoder

        return ResidualEncoder(
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            activation=self.activation,
            dim=self.dim,
            blocks=self.blocks,
        )


class ResNetDecoder(SpatialDecoder):
    """Pre-activation residual blocks and transposed convolutions: the mirror of nets/resnet. He et al. 2016, fig. 1b.

    Transposed convolutions have kernel 4, stride 2 and are cropped to the data's exact size. Context and first weights as in
    the encoder. Bounded data come out of a sigmoid.
    """

    type: Literal["nets/resnet"] = "nets/resnet"

    blocks: PositiveInt = Field(le=1000, default=2, description="residual blocks of each stage")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..resnet import ResidualDecoder

        return ResidualDecoder(
            require_real(spaces.latent, self.type),
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            activation=self.activation,
            blocks=self.blocks,
        )


class SNGAN(SpatialEncoder):
    """A critic of residual blocks that average neighbours, as in SNGAN. Miyato et al. 2018, table 4.

    For data of 1, 2 or 3 spatial axes. Each stage is a block that works on the larger grid and halves it in the end;
    ``blocks`` follow on the smallest grid, then a sum over it. The paper's critic for 32×32 has ``channels: [128, 128]``,
    ``dim: 1`` and spectral normalisation around it. A context scales and shifts the channels before each activation (FiLM,
    Perez et al. 2018). Weights start as those of nets/conv, the last of a block at a tenth: near its shortcut, but not at
    zero, by which spectral normalisation would divide.
    """

    type: Literal["nets/sngan"] = "nets/sngan"

    activation: Activation = Field(default="relu", description="the nonlinearity")
    norm: Literal["none", "group", "batch"] = Field(default="none", description="normalisation before each activation")
    blocks: NonNegativeInt = Field(le=1000, default=2, description="residual blocks on the smallest grid, behind the stages")
    pool: bool = Field(default=True, description="sum the features over the smallest grid: a vector, with or without 'dim'")

    def latent_space(self, data: Space) -> Space:
        """Return vectors of ``dim``, of the last stage's channels, or features on the smallest grid where nothing is pooled."""
        features = require_real(super().latent_space(data), self.type)
        return Real((features.shape[0],)) if self.pool else features

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..sngan import AveragingEncoder

        return AveragingEncoder(
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            activation=self.activation,
            dim=self.dim,
            norm=self.norm,
            blocks=self.blocks,
            pool=self.pool,
        )


class SNGANDecoder(SpatialDecoder):
    """A generator of residual blocks that repeat neighbours, as in SNGAN. Miyato et al. 2018, table 4.

    For data of 1, 2 or 3 spatial axes. Each stage is a block that doubles the grid at its start and works on the larger one;
    a convolution to the data follows. The paper's generator for 32×32 has ``channels: [256, 256, 256]``. A context scales and
    shifts the channels after each normalisation (Dumoulin et al. 2017; Perez et al. 2018). First weights as in the critic;
    bounded data come out of a sigmoid.
    """

    type: Literal["nets/sngan"] = "nets/sngan"

    activation: Activation = Field(default="relu", description="the nonlinearity")
    norm: Literal["none", "group", "batch"] = Field(default="batch", description="normalisation before each activation")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..sngan import RepeatingDecoder

        return RepeatingDecoder(
            require_real(spaces.latent, self.type),
            spatial(spaces.data, self.type),
            spaces.context,
            channels=self.channels,
            activation=self.activation,
            norm=self.norm,
        )


def _hint(latent: Real, data: Real) -> str:
    """Say how many stages would make the latent's axes from the data's, if any number does."""
    deepest = max(data.shape[1:]).bit_length()
    stages = [stages for stages in range(1, deepest + 1) if grids(data, stages)[-1] == latent.shape[1:]]
    if stages:
        return f"{stages[0]} stage{'s' * (stages[0] > 1)} in 'channels' would fit"
    return "give it a vector: set 'dim' in the encoder"
