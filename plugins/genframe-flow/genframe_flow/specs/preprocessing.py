"""Specs of preprocessing as bijections, whose log-determinants enter every likelihood by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from genframe import EncoderSpec, Mismatch, Real, Space, Spaces, at, traits
from genframe.traits import Bijective, DataDependent, TraitSet

from .base import continuous

if TYPE_CHECKING:
    from genframe import Encoder

__all__ = ["Logit", "Scaling", "Whitening"]


def bounded(data: Space, who: str, mend: str) -> tuple[Real, float, float]:
    """Return ``data`` and its bounds if it is continuous and has any.

    :raises Mismatch: otherwise.
    """
    space = continuous(data, who)
    if space.low is None or space.high is None:
        raise Mismatch(f"{who} needs data within bounds, found {space}", mend)
    return space, space.low, space.high


class Logit(EncoderSpec):
    """Opens bounds: y = logit(alpha + (1 - 2 alpha) u), u the place of x between them. Dinh et al. 2017, sec. 4.1.

    Its inverse gives data within the bounds: the few latents beyond those of the bounds give the bounds themselves.
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
        """Make the encoder."""
        from ..preprocessing import logit

        return logit(self, spaces.data)


class Scaling(EncoderSpec):
    """A scale and a shift, y = scale x + shift: given, from the data's bounds to others, or else fitted to training data.

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
        """Make the encoder."""
        from ..preprocessing import scaling

        return scaling(self, continuous(spaces.data, self.type))


class Whitening(EncoderSpec):
    """Decorrelates data by the covariance of training data: y has the covariance I. Krizhevsky 2009, app. A.

    ``zca`` turns back to the data's own axes, so that images stay images; ``pca`` gives a vector of principal components from
    the least to the greatest variance. Fitted in float64; the identity before. NICE's preprocessing of CIFAR-10 (Dinh et al.
    2014, sec. 5.1).
    """

    type: Literal["flow/whitening"] = "flow/whitening"
    provides: ClassVar[TraitSet] = traits(Bijective, DataDependent)

    rotation: Literal["zca", "pca"] = Field(default="zca", description="the axes of the result: the data's, or the components")
    eps: PositiveFloat = Field(
        default=1e-6, description="added to the variance of each component, in squared units of the data; bounds the scale"
    )
    dims: PositiveInt | None = Field(default=None, description="dimensions of the result; all of the data's if left out")

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
        """Make the encoder."""
        from ..preprocessing import whitening

        return whitening(self, continuous(spaces.data, self.type))
