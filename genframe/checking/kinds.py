"""What kind of model the parts make: what can be said of its density, and how it draws."""

from __future__ import annotations

from typing import Final, get_args

from ..specs.parts import ModelSpec
from ..types.trait.base import DensityKind, SamplingKind, TraitSet
from ..types.trait.decoders import DataBound, DataDensity, EncoderInverse, Likelihood
from ..types.trait.encoders import Bijective, Posterior
from ..types.trait.priors import Density, Energy
from ..types.values import Role

__all__ = ["density_kind", "sampling_kind"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)


def _trait_sets(spec: ModelSpec) -> tuple[TraitSet, TraitSet, TraitSet]:
    encoder = spec.encoder.provides if spec.encoder is not None else frozenset()
    return encoder, spec.decoder.provides, spec.prior.provides


def density_kind(spec: ModelSpec) -> DensityKind:
    """Return what can be said of log p(x) under the model, by its parts' traits."""
    encoder, decoder, prior = _trait_sets(spec)
    invertible = Bijective in encoder and EncoderInverse in decoder
    if Density in prior and (invertible or DataDensity in decoder):
        return "exact"
    if invertible and Energy in prior:
        return "unnormalised"
    if Density in prior and ((Posterior in encoder and Likelihood in decoder) or DataBound in decoder):
        return "lower bound"
    return "implicit"


def sampling_kind(spec: ModelSpec) -> SamplingKind:
    """Return how the model draws data: the more laborious of its sampler's and its prior's ways."""
    order: tuple[SamplingKind, ...] = ("direct", "sequential", "Markov chain")
    return max(spec.sampler.sampling, spec.prior.sampling, key=order.index)
