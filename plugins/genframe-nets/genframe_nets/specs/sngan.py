"""Specs of the residual networks of adversarial models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeInt

from genframe import Real, Space, Spaces, require_real

from ..activations import Activation
from ..grids import spatial
from .spatial import SpatialDecoder, SpatialEncoder

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["SNGAN", "SNGANDecoder"]


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
    blocks: NonNegativeInt = Field(default=2, description="residual blocks on the smallest grid, behind the stages")
    pool: bool = Field(default=True, description="sum the features over the smallest grid: a vector, with or without 'dim'")

    def latent_space(self, data: Space) -> Space:
        """Return vectors of ``dim``, of the last stage's channels, or features on the smallest grid where nothing is pooled."""
        features = require_real(super().latent_space(data), self.type)
        return Real((features.shape[0],)) if self.pool else features

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..sngan import AveragingEncoder

        return AveragingEncoder(self, spatial(spaces.data, self.type), spaces.context)


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

        return RepeatingDecoder(self, require_real(spaces.latent, self.type), spatial(spaces.data, self.type), spaces.context)
