"""genframe plugin: autoencoders and variational autoencoders."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import (
    Bernoulli,
    CategoricalLikelihood,
    Corrupted,
    Discretised,
    Elbo,
    FullGaussian,
    Gaussian,
    GaussianMixture,
    Iwae,
    LikelihoodSpec,
    NormalLikelihood,
    Reconstruction,
    Vamp,
)

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


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoders, decoders, priors and losses."""
    return [
        Gaussian,
        FullGaussian,
        Corrupted,
        Bernoulli,
        NormalLikelihood,
        Discretised,
        CategoricalLikelihood,
        GaussianMixture,
        Vamp,
        Elbo,
        Iwae,
        Reconstruction,
    ]


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on digits, and on MNIST where that is at hand."""
    summaries = {
        "vae-digits": "a variational autoencoder of 8x8 digits, in bits per dimension; a minute",
        "cvae-digits": "the same, conditional on the class",
        "ae-gmm-digits": "an autoencoder of the digits, then a Gaussian mixture fitted to its codes",
        "vae-mnist": "a variational autoencoder of binarised MNIST, at most 89.8 nats",
        "iwae-mnist": "an importance-weighted autoencoder of binarised MNIST with 50 samples",
        "vae-faces": "a variational autoencoder of the CMU faces, persons held out, for edits; two minutes",
        "ae-mnist": "the deep autoencoder 784-1000-500-250-30 of Hinton & Salakhutdinov 2006",
        "gmm-table": "a Gaussian, or a mixture with full covariances, fitted to a table of numbers",
        "gmm-patches": "a Gaussian, or a mixture with full covariances, fitted to 8x8 patches, in bits per dimension",
    }
    return [Recipe(name, "genframe_vae", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
