"""genframe plugin: Boltzmann machines and energy models.

Importing this package does not import torch: the implementations are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs import *
from .traits import Annealed, AnnealingPath, EnergyKernel, HiddenUnits, MeanField, Stacked, Walks

if TYPE_CHECKING:
    from .annealing import LogZ, annealed_log_z, betas_of, log_z_of
    from .chains import ChainSampler, GibbsSampler, HmcSampler, LangevinSampler, TemperingSampler
    from .dbm import DeepBoltzmannMachine
    from .diagnostics import effective_sample_size, split_r_hat
    from .divergence import ContrastiveDivergenceLoss
    from .dynamics import hamiltonian_step, langevin_step, place
    from .likelihood import LangevinLikelihoodLoss
    from .matching import NoiseContrastiveLoss, ScoreMatchingLoss, denoising_score_matching, sliced_score_matching
    from .metrics import LogLikelihoodMetric, MixingMetric
    from .neural import NeuralEnergy
    from .rbm import LinearBoltzmannMachine, RestrictedBoltzmannMachine
    from .stack import StackEncoder, UnstackedDecoder

__all__ = [
    *specs.__all__,
    "Annealed",
    "AnnealingPath",
    "ChainSampler",
    "ContrastiveDivergenceLoss",
    "DeepBoltzmannMachine",
    "EnergyKernel",
    "GibbsSampler",
    "HiddenUnits",
    "HmcSampler",
    "LangevinLikelihoodLoss",
    "LangevinSampler",
    "LinearBoltzmannMachine",
    "LogLikelihoodMetric",
    "LogZ",
    "MeanField",
    "MixingMetric",
    "NeuralEnergy",
    "NoiseContrastiveLoss",
    "RestrictedBoltzmannMachine",
    "ScoreMatchingLoss",
    "StackEncoder",
    "Stacked",
    "TemperingSampler",
    "UnstackedDecoder",
    "Walks",
    "annealed_log_z",
    "betas_of",
    "denoising_score_matching",
    "effective_sample_size",
    "hamiltonian_step",
    "langevin_step",
    "log_z_of",
    "place",
    "sliced_score_matching",
    "split_r_hat",
]

_LOADED_WHEN_USED = {
    "annealing": ("LogZ", "annealed_log_z", "betas_of", "log_z_of"),
    "chains": ("ChainSampler", "GibbsSampler", "HmcSampler", "LangevinSampler", "TemperingSampler"),
    "dbm": ("DeepBoltzmannMachine",),
    "diagnostics": ("effective_sample_size", "split_r_hat"),
    "divergence": ("ContrastiveDivergenceLoss",),
    "dynamics": ("hamiltonian_step", "langevin_step", "place"),
    "likelihood": ("LangevinLikelihoodLoss",),
    "matching": ("NoiseContrastiveLoss", "ScoreMatchingLoss", "denoising_score_matching", "sliced_score_matching"),
    "metrics": ("LogLikelihoodMetric", "MixingMetric"),
    "neural": ("NeuralEnergy",),
    "rbm": ("LinearBoltzmannMachine", "RestrictedBoltzmannMachine"),
    "stack": ("StackEncoder", "UnstackedDecoder"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoder, the decoder, the priors, losses, samplers and metrics."""
    return components(specs)


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


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
