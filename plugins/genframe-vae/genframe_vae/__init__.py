"""genframe plugin: autoencoders and variational autoencoders.

Importing this package does not import torch: the implementations are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs.decoders import *
from .specs.encoders import *
from .specs.losses import *
from .specs.priors import *

if TYPE_CHECKING:
    from .decoders import *
    from .distributions import *
    from .encoders import *
    from .losses import *
    from .mixture import *
    from .penalties import *
    from .priors import *

_LOADED_WHEN_USED = {
    "decoders": ("BernoulliDecoder", "CategoricalDecoder", "DiscretisedLogisticDecoder", "NormalDecoder"),
    "distributions": (
        "BernoulliDistribution",
        "CategoricalDistribution",
        "DiagonalNormal",
        "DiscretisedLogistic",
        "FullNormal",
        "NormalDistribution",
        "scale_tril",
    ),
    "encoders": (
        "CorruptedEncoder",
        "CorruptedPosterior",
        "CorruptedTransposable",
        "FullGaussianEncoder",
        "GaussianEncoder",
        "corrupted",
    ),
    "losses": ("ElboLoss", "IwaeLoss", "ReconstructionLoss", "rate"),
    "mixture": ("EmFit", "Mixture", "fit_mixture"),
    "penalties": ("jacobian_penalty", "sparsity_penalty"),
    "priors": ("GaussianMixturePrior", "VampPrior"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}

__all__ = [*specs.__all__, *_MODULE_OF]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoders, decoders, priors and losses."""
    return components(specs)


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
        "vae-photos": "a variational autoencoder of your own photos, 64x64 in colour",
        "ae-mnist": "the deep autoencoder 784-1000-500-250-30 of Hinton & Salakhutdinov 2006",
        "gmm-table": "a Gaussian, or a mixture with full covariances, fitted to a table of numbers",
        "gmm-patches": "a Gaussian, or a mixture with full covariances, fitted to 8x8 patches, in bits per dimension",
    }
    return [Recipe(name, "genframe_vae", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
