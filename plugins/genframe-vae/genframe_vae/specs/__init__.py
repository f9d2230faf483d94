"""Specs of the components, one file a kind. No torch."""

from __future__ import annotations

from .decoders import Bernoulli, CategoricalLikelihood, Discretised, LikelihoodSpec, NormalLikelihood
from .encoders import Corrupted, FullGaussian, Gaussian
from .losses import Elbo, Iwae, Reconstruction
from .priors import GaussianMixture, Vamp

__all__ = [
    "Bernoulli",
    "CategoricalLikelihood",
    "Corrupted",
    "Discretised",
    "Elbo",
    "FullGaussian",
    "Gaussian",
    "GaussianMixture",
    "Iwae",
    "LikelihoodSpec",
    "NormalLikelihood",
    "Reconstruction",
    "Vamp",
]
