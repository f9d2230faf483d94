"""Specs of Boltzmann machines, energy models, and what trains, draws and measures them. No torch."""

from __future__ import annotations

from .losses import ContrastiveDivergence, LangevinLikelihood, NoiseContrastive, ScoreMatching
from .metrics import LogLikelihood, Mixing
from .priors import Dbm, Neural, Rbm
from .samplers import Chain, Gibbs, Hmc, Langevin, Tempering
from .stack import Stack, Unstacked

__all__ = [
    "Chain",
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
