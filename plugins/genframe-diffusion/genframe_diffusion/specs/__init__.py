"""Specs of the components. No torch."""

from __future__ import annotations

from .denoiser import DenoiserDecoder, Prediction
from .few_steps import ConsistencyFunction, ConsistencySteps, ConsistencyTraining, Consistent, Reflow
from .losses import Denoising
from .processes import EDM, VP, Process, Rectified
from .samplers import DDIM, DDPM, ODE, DPMpp2M, DPMppSDE, Euler, EulerAncestral, GridWalk, Heun, PredictorCorrector, UniPC, Walk

__all__ = [
    "DDIM",
    "DDPM",
    "EDM",
    "ODE",
    "VP",
    "ConsistencyFunction",
    "ConsistencySteps",
    "ConsistencyTraining",
    "Consistent",
    "DPMpp2M",
    "DPMppSDE",
    "DenoiserDecoder",
    "Denoising",
    "Euler",
    "EulerAncestral",
    "GridWalk",
    "Heun",
    "Prediction",
    "PredictorCorrector",
    "Process",
    "Rectified",
    "Reflow",
    "UniPC",
    "Walk",
]
