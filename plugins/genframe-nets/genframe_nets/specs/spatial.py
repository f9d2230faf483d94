"""What the specs of all convolutional networks share: stages that halve the axes, and the spaces that follow."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from genframe import ContextSpace, DecoderSpec, EncoderSpec, Mismatch, Real, Space, require_real, traits
from genframe.spaces import format_shape
from genframe.traits import Conditional, TraitSet

from ..activations import Activation
from ..grids import grids, spatial
from .output import require_real_data

__all__ = ["SpatialDecoder", "SpatialEncoder"]


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
            f"{self.type} starts from a vector or from features of {format_shape(axes)}, found {latent}", _mend(latent, target)
        )


def _mend(latent: Real, data: Real) -> str:
    """Say how many stages would make the latent's axes from the data's, if any number does."""
    deepest = max(data.shape[1:]).bit_length()
    stages = [stages for stages in range(1, deepest + 1) if grids(data, stages)[-1] == latent.shape[1:]]
    if stages:
        return f"{stages[0]} stage{'s' * (stages[0] > 1)} in 'channels' would fit"
    return "give it a vector: set 'dim' in the encoder"
