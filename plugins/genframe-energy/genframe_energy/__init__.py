"""genframe plugin: Boltzmann machines and energy models."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import (
    ContrastiveDivergence,
    Dbm,
    Gibbs,
    Hmc,
    Langevin,
    LangevinLikelihood,
    LogLikelihood,
    Mixing,
    Neural,
    NoiseContrastive,
    Rbm,
    ScoreMatching,
    Stack,
    Tempering,
    Unstacked,
)

__all__ = [
    "ContrastiveDivergence",
    "Dbm",
    "Gibbs",
    "Hmc",
    "Langevin",
    "LangevinLikelihood",
    "LogLikelihood",
    "Mixing",
    "Neural",
    "NoiseContrastive",
    "Rbm",
    "ScoreMatching",
    "Stack",
    "Tempering",
    "Unstacked",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the priors, losses, samplers and metrics."""
    return [
        *(Stack, Unstacked),
        *(Rbm, Dbm, Neural),
        *(ContrastiveDivergence, LangevinLikelihood, ScoreMatching, NoiseContrastive),
        *(Gibbs, Langevin, Hmc, Tempering),
        *(LogLikelihood, Mixing),
    ]


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on digits and in the plane."""
    summaries = {
        "rbm-digits": "a restricted Boltzmann machine on binarised 8x8 digits; seconds",
        "rbm-mnist": "500 hidden units by CD-25 on binarised MNIST, measured by annealed importance sampling",
        "dbm-digits": "a deep Boltzmann machine on binarised 8x8 digits, bounded by mean field; minutes",
        "dbn-autoencoder-mnist": "a deep autoencoder pretrained as a stack of Boltzmann machines (Hinton & Salakhutdinov 2006)",
        "rbm-codes-digits": "a Boltzmann machine over the binary codes of a trained autoencoder of digits; minutes",
        "ebm-vae-digits": "a network's energy as the prior of a variational autoencoder of digits; minutes",
        "ebm-moons": "a network as energy of points in the plane, by Langevin dynamics with a replay buffer",
    }
    return [Recipe(name, "genframe_energy", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
