"""What kind of model the parts make: what can be said of its density, and how it draws."""

from __future__ import annotations

from ..plugins.discovery import installed
from ..specs.kinds import DensityKind, SamplingKind, met
from ..specs.parts import ModelSpec

__all__ = ["density_kind", "sampling_kind"]


def density_kind(spec: ModelSpec) -> DensityKind:
    """Return what can be said of log p(x) under the model: the first kind in the table that its parts' traits give."""
    provided = spec.provided()
    kinds = sorted(installed().densities.values(), key=lambda kind: kind.order)
    return next(kind for kind in kinds if any(met(needs, provided) for needs in kind.given_by))


def sampling_kind(spec: ModelSpec) -> SamplingKind:
    """Return how the model draws data: the more laborious of its sampler's and its prior's ways.

    :raises SpecError: if one of them names a kind that no plugin brings.
    """
    kinds = [installed().sampling(name) for name in (spec.sampler.sampling, spec.prior.sampling)]
    return max(kinds, key=lambda kind: kind.order)
