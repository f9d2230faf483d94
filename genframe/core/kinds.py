"""The built-in kinds of density and of sampling."""

from __future__ import annotations

from typing import Final

from ..specs.kinds import INVERTIBLE, VARIATIONAL, DensityKind, SamplingKind
from ..types.trait.decoders import DataBound, DataDensity
from ..types.trait.priors import Density, Energy

__all__ = ["DENSITIES", "SAMPLINGS"]

DENSITIES: Final = (
    DensityKind("exact", 10, (INVERTIBLE, {"decoder": DataDensity, "prior": Density}), "="),
    DensityKind("lower bound", 20, (VARIATIONAL, {"decoder": DataBound, "prior": Density}), "≥"),
    DensityKind(
        "unnormalised",
        30,
        ({**INVERTIBLE, "prior": Energy},),
        "∝",
        "log p(x) is minus the energy, less log Z, which is not known; a metric may estimate it",
    ),
    DensityKind(
        "implicit",
        40,
        ({},),
        refusal="a likelihood needs an encoder with Bijective and a prior with Density, "
        "or an encoder with Posterior and a decoder with Likelihood as well",
    ),
)
SAMPLINGS: Final = (SamplingKind("direct", 10), SamplingKind("sequential", 20), SamplingKind("Markov chain", 30))
