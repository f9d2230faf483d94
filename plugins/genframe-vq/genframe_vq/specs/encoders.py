"""Specs of the encoders with a codebook. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import (
    Categorical,
    EncoderSpec,
    Mismatch,
    Real,
    Space,
    Spaces,
    at,
    conditional_if,
    projected,
    require_real,
    traits,
)
from genframe.types import DataDependent, Quantized, TraitSet
from genframe_nets import Conv

from ..traits import Distance, Gradient, LearningRule, VectorQuantised

if TYPE_CHECKING:
    from genframe import Encoder

    from ..quantisers import Quantiser

__all__ = ["FiniteScalar", "LookupFree", "QuantiserSpec", "Quantizer"]

MOST_AXES = 4
MOST_CODES = 2**31


class QuantiserSpec(EncoderSpec):
    """An encoder whose latents are vectors of a finite set: one at each position of a network's features; abstract."""

    network: EncoderSpec = Field(default=Conv(), description="the network that reads the data; gives features on a grid")

    @property
    def channels(self) -> int:
        """The size of a vector."""
        raise NotImplementedError(f"{type(self).__name__}.channels")

    @property
    def codes(self) -> int:
        """The number of values of an index."""
        raise NotImplementedError(f"{type(self).__name__}.codes")

    @property
    def codebooks(self) -> int:
        """The number of indices of a position."""
        return 1

    @property
    def provides(self) -> TraitSet:
        """Provide the class's traits; read the condition if the network does."""
        return traits(Quantized, VectorQuantised) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return a vector at each position of the network's features, its dimensions first."""
        return projected(self._features(data), self.channels)

    def code_space(self, data: Space) -> Space:
        """Return an index at each position of the network's features; with several codebooks they are the first axis."""
        grid = self._features(data).shape[1:]
        return Categorical((self.codebooks, *grid) if self.codebooks > 1 else grid, self.codes)

    def quantiser(self) -> Quantiser:
        """Make what quantises the projected features."""
        raise NotImplementedError(f"{type(self).__name__}.quantiser")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..encoders import QuantisedEncoder

        quantiser = self.quantiser()  # before the network, whose weights depend on what was drawn
        network = self.network.build(self.network.spaces(spaces.data, spaces.context))
        return QuantisedEncoder(network, quantiser, features=self._features(spaces.data), data=spaces.data)

    def _features(self, data: Space) -> Real:
        with at("network"):
            features = require_real(self.network.latent_space(data), "a quantiser")
            if not 1 <= len(features.shape) <= MOST_AXES:
                raise Mismatch(
                    f"features are projected along their first of 1 to {MOST_AXES} axes, found {features}",
                    "choose a network such as nets/conv, nets/resnet or nets/mlp",
                )
            return features


class Quantizer(QuantiserSpec):
    """Features as the nearest vectors of learned codebooks. van den Oord et al. 2017 (VQ-VAE).

    There may be several codebooks: each of the ``layers`` quantises what those before it left (Zeghidour et al. 2021), each of
    the ``groups`` a share of the dimensions (Jégou et al. 2011). Codebooks start from k-means over the features of training
    data. Counts of moving averages (ibid., app. A.1) are smoothed by 1e-5. With cosine distance codes lie on the unit sphere
    (Yu et al. 2021, sec. 3.2). Averages and revival change a codebook only while the encoder learns, by the loss vq/vqvae.
    """

    type: Literal["vq/quantizer"] = "vq/quantizer"

    size: int = Field(default=512, ge=2, description="vectors of a codebook")
    dim: PositiveInt = Field(default=64, description="size of a vector; features are projected to it")
    layers: PositiveInt = Field(le=1000, default=1, description="codebooks one after another, of what is left")
    groups: PositiveInt = Field(default=1, description="codebooks side by side, each of a share of the dimensions")
    distance: Distance = Field(default="euclidean", description="distance by which the nearest vector is chosen")
    gradient: Gradient = Field(
        default="straight_through",
        description="of the features: that of the vectors as it is, or rotated with them (Fifty et al. 2024)",
    )
    codebook: LearningRule = Field(
        default="ema", description="how vectors learn: as moving averages of their features, or by gradient"
    )
    decay: float = Field(default=0.99, gt=0, lt=1, description="of the moving averages, per batch")
    revive: PositiveInt | None = Field(
        default=100, description="batches without use after which a vector is moved to a feature of the batch; never if none"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Quantizer:
        if self.dim % self.groups:
            raise ValueError(f"groups: {self.groups} does not divide dim: {self.dim}; choose a divisor")
        if self.distance == "cosine" and self.layers > 1:
            raise ValueError("what a vector on the sphere leaves has no direction: leave layers or distance out")
        return self

    @property
    def provides(self) -> TraitSet:
        """Provide DataDependent too: codebooks start from features of data."""
        return super().provides | traits(DataDependent)

    @property
    def channels(self) -> int:
        """The size of a vector."""
        return self.dim

    @property
    def codes(self) -> int:
        """The vectors of a codebook."""
        return self.size

    @property
    def codebooks(self) -> int:
        """Layers of every group."""
        return self.layers * self.groups

    def quantiser(self) -> Quantiser:
        """Make the codebooks."""
        from ..codebook import Learning
        from ..quantisers import VectorQuantiser

        return VectorQuantiser(
            self.size,
            self.dim,
            layers=self.layers,
            groups=self.groups,
            distance=self.distance,
            gradient=self.gradient,
            learning=Learning(self.codebook, self.decay, self.revive),
        )


class FiniteScalar(QuantiserSpec):
    """Finite scalar quantisation: each of a few channels rounded to its levels, no codebook. Mentzer et al. 2023 (FSQ)."""

    type: Literal["vq/fsq"] = "vq/fsq"

    channel_levels: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(8, 5, 5, 5), min_length=1, description="levels of each channel; there are as many codes as their product"
    )

    @model_validator(mode="after")
    def _countable(self) -> FiniteScalar:
        if self.codes > MOST_CODES:
            raise ValueError(f"channel_levels make {self.codes} codes, more than {MOST_CODES}; take fewer channels or levels")
        return self

    @property
    def channels(self) -> int:
        """A channel for each entry of ``channel_levels``."""
        return len(self.channel_levels)

    @property
    def codes(self) -> int:
        """The product of the levels."""
        return math.prod(self.channel_levels)

    def quantiser(self) -> Quantiser:
        """Make the rounding to levels."""
        from ..scalars import ScalarQuantiser

        return ScalarQuantiser(self.channel_levels)


class LookupFree(QuantiserSpec):
    """Lookup-free quantisation: the signs of a few channels are the bits of an index. Yu et al. 2023 (MAGVIT-v2), sec. 3.1.

    Its entropy term, in the loss vq/vqvae, makes each sign certain and all codes equally likely.
    """

    type: Literal["vq/lfq"] = "vq/lfq"

    bits: Annotated[int, Field(ge=1, le=20)] = Field(default=9, description="channels; there are 2^bits codes")
    temperature: PositiveFloat = Field(
        default=1.0, description="of the distribution over codes in the entropy term, in squared units of features"
    )

    @property
    def channels(self) -> int:
        """A channel for each bit."""
        return self.bits

    @property
    def codes(self) -> int:
        """All values of the bits."""
        return 1 << self.bits

    def quantiser(self) -> Quantiser:
        """Make the signs."""
        from ..scalars import SignQuantiser

        return SignQuantiser(self.bits, temperature=self.temperature)
