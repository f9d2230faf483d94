"""Specs of preprocessing as bijections, whose log-determinants enter every likelihood, and of flows one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import EncoderSpec, Mismatch, Real, Space, Spaces, at, conditional_if, traits
from genframe.types import Bijective, DataDependent, TraitSet

from .base import FlowSpec, continuous

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["FlowSequence", "Logit", "Scaling", "Whitening"]


def bounded(data: Space, who: str, hint: str) -> tuple[Real, float, float]:
    """Return ``data`` and its bounds if it is continuous and has bounds.

    :raises Mismatch: if it is not, or has none.
    """
    space = continuous(data, who)
    if space.low is None or space.high is None:
        raise Mismatch(f"{who} needs data within bounds, found {space}", hint)
    return space, space.low, space.high


class Logit(EncoderSpec):
    """Opens bounds: y = logit(alpha + (1 - 2 alpha) u), u the place of x between them. Dinh et al. 2017, sec. 4.1.

    Its inverse gives data within the bounds: the few latents beyond the images of the bounds give the bounds.
    """

    type: Literal["flow/logit"] = "flow/logit"
    provides: ClassVar[TraitSet] = traits(Bijective)

    alpha: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="how far the bounds are from 0 and 1, of which the logit is infinite; Papamakarios et al. 2017 take 1e-6 "
        "for MNIST and 0.05 for CIFAR-10",
    )

    def latent_space(self, data: Space) -> Space:
        """Return the data's shape, unbounded."""
        space, _, _ = bounded(data, self.type, "put it first, where the data have their bounds, or use flow/scaling")
        return Real(space.shape)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..encoder import FlowEncoder
        from ..preprocessing import LogitMap

        _, low, high = bounded(spaces.data, self.type, "")
        return FlowEncoder(LogitMap(low, high, self.alpha))


class Scaling(EncoderSpec):
    """A scale and a shift, y = scale x + shift: given, or from the bounds of the data to others, or fitted to training data.

    Fitted ones standardise each dimension to mean 0 and deviation 1; a dimension that never changes is shifted only.
    """

    type: Literal["flow/scaling"] = "flow/scaling"

    scale: PositiveFloat | None = Field(default=None, description="the scale, where it is given; 1 if only the shift is")
    shift: float | None = Field(default=None, description="the shift, where it is given; 0 if only the scale is")
    to: tuple[float, float] | None = Field(default=None, description="the bounds to which the data's bounds are brought")

    @model_validator(mode="after")
    def _one_way(self) -> Scaling:
        if self.to is not None and not (self.scale is None and self.shift is None):
            raise ValueError("'to' says scale and shift; leave these out")
        if self.to is not None and not self.to[0] < self.to[1]:
            raise ValueError(f"the first bound of 'to' must be less than the second, found {self.to[0]:g} and {self.to[1]:g}")
        return self

    @property
    def fitted(self) -> bool:
        """Whether scale and shift come from training data."""
        return self.scale is None and self.shift is None and self.to is None

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective; DataDependent where it is fitted."""
        return traits(Bijective) | (traits(DataDependent) if self.fitted else traits())

    def latent_space(self, data: Space) -> Space:
        """Return the data's shape, with its bounds and bins where these are known before training."""
        space = continuous(data, self.type)
        if self.fitted or (space.low is None and self.to is None):
            return Real(space.shape)
        scale, shift = self.constants(space)
        low, high = self.to or (scale * (space.low or 0.0) + shift, scale * (space.high or 0.0) + shift)
        return Real(space.shape, low, high, space.levels, space.dequantised)

    def constants(self, data: Space) -> tuple[float, float]:
        """Return scale and shift, where they are not fitted."""
        if self.to is None:
            return self.scale if self.scale is not None else 1.0, self.shift or 0.0
        with at("to"):
            _, low, high = bounded(data, self.type, "leave 'to' out to standardise by training data, or give scale and shift")
        scale = (self.to[1] - self.to[0]) / (high - low)
        return scale, self.to[0] - scale * low

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        import torch

        from ..encoder import FlowEncoder
        from ..preprocessing import Rescaling, Standardisation

        data = continuous(spaces.data, self.type)
        if self.fitted:
            return FlowEncoder(Standardisation(data))
        scale, shift = map(torch.tensor, self.constants(data))
        return FlowEncoder(Rescaling(scale, shift))


class Whitening(EncoderSpec):
    """Decorrelates data by the covariance of training data: y has the covariance I. Krizhevsky 2009, app. A.

    ``zca`` rotates back to the axes of the data, so that images stay images; ``pca`` gives a vector of principal components,
    from the least to the greatest variance. It is fitted in float64, and the identity before that. NICE preprocesses CIFAR-10
    in this way (Dinh et al. 2014, sec. 5.1).
    """

    type: Literal["flow/whitening"] = "flow/whitening"
    provides: ClassVar[TraitSet] = traits(Bijective, DataDependent)

    rotation: Literal["zca", "pca"] = Field(default="zca", description="the axes of the result: the data's, or the components")
    eps: PositiveFloat = Field(
        default=1e-6, description="added to the variance of each component, in squared units of the data; bounds the scale"
    )
    dims: PositiveInt | None = Field(default=None, description="dimensions of the result; as many as the data has if left out")

    def latent_space(self, data: Space) -> Space:
        """Return the data's shape for zca, a vector for pca.

        :raises Mismatch: for other dimensions than the data's: a matrix that is not square has no inverse.
        """
        space = continuous(data, self.type)
        if self.dims not in (None, space.dims):
            with at("dims"):
                raise Mismatch(
                    f"whitening is one to one only in all dimensions, {self.dims} are not the {space.dims} of {space}",
                    "leave 'dims' out; for fewer dimensions use an autoencoder",
                )
        return Real(space.shape if self.rotation == "zca" else (space.dims,))

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder."""
        from ..encoder import FlowEncoder
        from ..preprocessing import Whitener

        data = continuous(spaces.data, self.type)
        return FlowEncoder(Whitener(data, turned_back=self.rotation == "zca", eps=self.eps))


class FlowSequence(FlowSpec):
    """Encoders that are one to one, one after another: preprocessing and flows of any plugin. Rezende & Mohamed 2015, eq. 6.

    Log-determinants add up. With constant memory the layers of all flows are treated as those of one. A flow of several scales
    among them counts as one layer, with the memory that its own spec asks for.
    """

    type: Literal["flow/sequence"] = "flow/sequence"

    flows: tuple[EncoderSpec, ...] = Field(min_length=1, description="the encoders, from data to latent; each with Bijective")

    @property
    def provides(self) -> TraitSet:
        """Provide Bijective; read the condition, and start from data, if any of the encoders does."""
        dependent = any(DataDependent in flow.provides for flow in self.flows)
        return traits(Bijective) | conditional_if(*self.flows) | (traits(DataDependent) if dependent else traits())

    def latent_space(self, data: Space) -> Space:
        """Return the latent space of the last encoder."""
        return self.stations(data)[-1]

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return the levels of the last encoder."""
        return self.flows[-1].levels(self.stations(data)[-2])

    def stations(self, data: Space) -> tuple[Space, ...]:
        """Return the data's space and the latent space of each encoder."""
        return (data, *self._latents(data))

    def _latents(self, space: Space) -> Iterator[Space]:
        for number, flow in enumerate(self.flows):
            with at("flows", str(number)):
                if Bijective not in flow.provides:
                    raise Mismatch(
                        f"{flow.type!r} maps {space} to features from which there is no way back",
                        "use encoders with Bijective: flows, their preprocessing, core/identity",
                    )
                space = flow.latent_space(space)
            yield space

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoders one after another."""
        from ..encoder import SequenceEncoder

        stations = self.stations(spaces.data)
        encoders = [flow.build(flow.spaces(data, spaces.context)) for flow, data in zip(self.flows, stations, strict=False)]
        first_states = [DataDependent in flow.provides for flow in self.flows]
        return SequenceEncoder(encoders, first_states, self.levels(spaces.data), self.memory)
