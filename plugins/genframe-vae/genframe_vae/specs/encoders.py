"""Specs of encoders with a posterior, and of the encoder that sees corrupted data. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from genframe import EncoderSpec, Mismatch, Real, Space, Spaces, at, conditional_if, projected, require_real, traits
from genframe.types import Posterior, TraitSet
from genframe_nets import MLP, Transposable

from ..choices import CorruptionKind

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Gaussian", "FullGaussian", "Corrupted"]  # noqa: RUF022  # the kit tries the first that fits


class Gaussian(EncoderSpec):
    """q(z|x): a normal with diagonal covariance, its mean and log-variance by a network. Kingma & Welling 2013, eq. 9.

    Vector features give a vector latent, spatial features a spatial one. Log-variances are clamped to ±20.
    """

    type: Literal["vae/gaussian"] = "vae/gaussian"

    dim: PositiveInt = Field(default=16, description="size of the latent; channels of a spatial one")
    network: EncoderSpec = Field(default=MLP(), description="the network that reads the data")

    @property
    def provides(self) -> TraitSet:
        """Provide Posterior; read the condition if the network does."""
        return traits(Posterior) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return the network's features with ``dim`` in the place of their first axis."""
        with at("network"):
            return projected(self.network.latent_space(data), self.dim)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..encoders import GaussianEncoder

        features = require_real(self.network.latent_space(spaces.data), "a linear head")
        return GaussianEncoder(self.network.build(self.network.spaces(spaces.data, spaces.context)), features, self.dim)


class FullGaussian(EncoderSpec):
    """q(z|x): a normal with full covariance L Lᵀ, its Cholesky factor by a network. Kingma & Welling 2019, sec. 2.5.1.

    The log-diagonal of L is clamped to ±10.
    """

    type: Literal["vae/full_gaussian"] = "vae/full_gaussian"

    dim: PositiveInt = Field(default=16, description="size of the latent")
    network: EncoderSpec = Field(default=MLP(), description="the network that reads the data; gives a vector")

    @property
    def provides(self) -> TraitSet:
        """Provide Posterior; read the condition if the network does."""
        return traits(Posterior) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return a vector of ``dim``."""
        with at("network"):
            features = require_real(self.network.latent_space(data), "a linear head")
            if len(features.shape) != 1:
                raise Mismatch(
                    f"a full covariance is of vector features, found {features}",
                    "choose a network that gives a vector, such as nets/mlp, or the encoder vae/gaussian",
                )
        return Real((self.dim,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..encoders import FullGaussianEncoder

        features = require_real(self.network.latent_space(spaces.data), "a linear head")
        return FullGaussianEncoder(self.network.build(self.network.spaces(spaces.data, spaces.context)), features, self.dim)


class Corrupted(EncoderSpec):
    """An encoder that sees corrupted data in training and clean data otherwise. Vincent et al. 2010, sec. 3.3.

    Masking sets values to 0 (to the bound that is nearest to 0 where 0 is out of bounds); salt and pepper sets them to the
    lower or the upper bound; Gaussian noise is added and not clipped.
    """

    type: Literal["vae/corrupted"] = "vae/corrupted"

    network: EncoderSpec = Field(default=MLP(), description="the encoder that sees the corrupted data")
    corruption: CorruptionKind = Field(default="masking", description="the kind of noise")
    amount: NonNegativeFloat = Field(
        default=0.25,
        description="fraction of values that are corrupted; for gaussian the standard deviation, in units of the data",
    )

    @model_validator(mode="after")
    def _is_a_fraction(self) -> Corrupted:
        if self.corruption != "gaussian" and self.amount > 1:
            raise ValueError(f"the amount of {self.corruption} is a fraction of at most 1, found {self.amount:g}")
        return self

    @property
    def provides(self) -> TraitSet:
        """Pass on what the wrapped encoder has of Posterior and Transposable; read the condition if it does."""
        return (self.network.provides & traits(Posterior, Transposable)) | conditional_if(self.network)

    def latent_space(self, data: Space) -> Space:
        """Return the wrapped encoder's latent space."""
        space = require_real(data, "corruption")
        if self.corruption == "salt_and_pepper" and not space.bounded:
            with at("corruption"):
                raise Mismatch(f"salt and pepper are the bounds of data, found {space}", "use masking or gaussian")
        with at("network"):
            return self.network.latent_space(data)

    def code_space(self, data: Space) -> Space:
        """Return the wrapped encoder's code space."""
        return self.network.code_space(data)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Make the encoder."""
        from ..encoders import corrupted

        network = self.network.build(self.network.spaces(spaces.data, spaces.context))
        return corrupted(network, require_real(spaces.data, "corruption"), self.corruption, self.amount)
