"""Specs of decoders with a likelihood. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from genframe import (
    Categorical,
    ContextSpace,
    DecoderSpec,
    Mismatch,
    Needs,
    Real,
    Space,
    Spaces,
    at,
    conditional_if,
    require_real,
    traits,
)
from genframe.types import Likelihood, ProbabilityMass, TraitSet
from genframe_nets import MLPDecoder

from ..choices import Scale, Variance
from ..parameters import grid_of, stacked

if TYPE_CHECKING:
    from genframe import Decoder, Encoder

__all__ = ["Bernoulli", "CategoricalLikelihood", "Discretised", "LikelihoodSpec", "NormalLikelihood"]


class LikelihoodSpec(DecoderSpec):
    """A decoder with Likelihood: a network gives the parameters of a distribution over data."""

    network: DecoderSpec = Field(default=MLPDecoder(), description="the network that gives the parameters")

    @property
    def provides(self) -> TraitSet:
        """Provide the class's traits; read the condition if the network does."""
        return traits(Likelihood) | conditional_if(self.network)

    @property
    def needs(self) -> Needs:
        """Need what the network needs."""
        return self.network.needs

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept data of the distribution's kind, if the network can give its parameters."""
        parameters = self.parameter_space(data)
        with at("network"):
            self.network.accepts(latent, parameters, context)

    def parameter_space(self, data: Space) -> Real:
        """Return the unbounded space of the parameters.

        :raises Mismatch: if the distribution cannot be of ``data``.
        """
        raise NotImplementedError(f"{type(self).__name__}.parameter_space")

    def build_network(self, spaces: Spaces, encoder: Encoder | None) -> Decoder:
        """Build the network, which maps latents to parameters, not to data."""
        return self.network.build(spaces.between(spaces.latent, self.parameter_space(spaces.data)), encoder)


class Bernoulli(LikelihoodSpec):
    """p(x|z): independent bits, their logits by a network. Kingma & Welling 2013, app. C.1.

    With ``grey`` the data may be grey, in [0, 1], and log_prob is minus the cross-entropy: the expected log-probability of
    bits drawn with the grey values as rates. What a model then reports is a lower bound on the expected log-probability of
    such bits, by Jensen's inequality for any number of samples, and not a density of grey values; so bits per dimension are
    refused.
    """

    type: Literal["vae/bernoulli"] = "vae/bernoulli"

    grey: bool = Field(default=False, description="allow grey values, whose cross-entropy is no probability of them")

    @property
    def provides(self) -> TraitSet:
        """Provide ProbabilityMass for bits only."""
        return super().provides | (traits() if self.grey else traits(ProbabilityMass))

    def parameter_space(self, data: Space) -> Real:
        """Return a logit for each value of data in [0, 1]."""
        space = require_real(data, "a Bernoulli likelihood")
        if (space.low, space.high) != (0, 1):
            raise Mismatch(
                f"a Bernoulli likelihood is of values from 0 to 1, found {space}", "use vae/normal or vae/discretised_logistic"
            )
        if space.dequantised:
            raise Mismatch(f"a Bernoulli likelihood is of bits, found {space}", "leave dequantisation out")
        if space.levels != 2 and not self.grey:
            raise Mismatch(
                f"a Bernoulli likelihood is of bits, found {space}",
                "binarise the data, set grey: true for the cross-entropy of grey values, or use vae/discretised_logistic",
            )
        return Real(space.shape)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..decoders import BernoulliDecoder

        data = require_real(spaces.data, "a Bernoulli likelihood")
        return BernoulliDecoder(self.build_network(spaces, encoder), data)


class NormalLikelihood(LikelihoodSpec):
    """p(x|z): independent normals, their means by a network. Kingma & Welling 2013, app. C.2.

    The normalising constant is included. The variance is fixed, one learned scalar, or the network's for each value (its
    log-variance clamped to ±20).
    """

    type: Literal["vae/normal"] = "vae/normal"

    variance: Variance = Field(default="fixed", description="where the variance comes from")
    sigma: PositiveFloat = Field(
        default=1.0, description="standard deviation, in units of the data; where learned, the first one"
    )

    def parameter_space(self, data: Space) -> Real:
        """Return a mean for each value, and its log-variance where the network gives it."""
        space = require_real(data, "a normal likelihood")
        return stacked(space, 2) if self.variance == "per_pixel" else Real(space.shape)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..decoders import NormalDecoder

        data = require_real(spaces.data, "a normal likelihood")
        return NormalDecoder(self.build_network(spaces, encoder), data, variance=self.variance, sigma=self.sigma)


class Discretised(LikelihoodSpec):
    """p(x|z): a logistic's mass in the bins of a grid of values, such as 8-bit images. Salimans et al. 2017, eq. 2."""

    type: Literal["vae/discretised_logistic"] = "vae/discretised_logistic"

    scale: Scale = Field(default="per_pixel", description="scales by the network, or one learned scale for all")

    @property
    def provides(self) -> TraitSet:
        """Provide ProbabilityMass too."""
        return super().provides | traits(ProbabilityMass)

    def parameter_space(self, data: Space) -> Real:
        """Return a location for each value on the grid, and its log-scale where the network gives it."""
        grid = grid_of(data, "a discretised logistic")
        return stacked(grid, 2) if self.scale == "per_pixel" else Real(grid.shape)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..decoders import DiscretisedLogisticDecoder

        data = grid_of(spaces.data, "a discretised logistic")
        return DiscretisedLogisticDecoder(self.build_network(spaces, encoder), data, self.scale)


class CategoricalLikelihood(LikelihoodSpec):
    """p(x|z): independent classes, their logits by a network. Van den Oord et al. 2016, sec. 2.2.

    The levels of a grid are classes too.
    """

    type: Literal["vae/categorical"] = "vae/categorical"

    @property
    def provides(self) -> TraitSet:
        """Provide ProbabilityMass too."""
        return super().provides | traits(ProbabilityMass)

    def parameter_space(self, data: Space) -> Real:
        """Return as many logits for each value as it has classes."""
        if isinstance(data, Categorical):
            return stacked(data, data.size)
        grid = grid_of(data, "a categorical likelihood")
        return stacked(grid, grid.levels or 2)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        from ..decoders import CategoricalDecoder

        return CategoricalDecoder(self.build_network(spaces, encoder), spaces.data)
