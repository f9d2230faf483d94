"""genframe plugin: diffusion, score models and flow matching.

Importing this package does not import torch: processes, denoisers, losses and samplers are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .choices import Grid, Prediction
from .specs import *
from .traits import Chain, Consistent, EndsInNoise, KeepsConditions, Preconditioned, PredictsNoise, Solver

if TYPE_CHECKING:
    from .bound import *
    from .consistency import *
    from .denoiser import *
    from .flow import *
    from .flow_steps import *
    from .losses import *
    from .pairing import *
    from .points import *
    from .predictor import *
    from .preserving import *
    from .processes import *
    from .reflow import *
    from .steps import *
    from .teacher import *
    from .times import *
    from .walking import *
    from .weighting import *

_LOADED_WHEN_USED = {
    "AdaptiveStep": "flow_steps",
    "Churn": "flow_steps",
    "ConsistencyDecoder": "consistency",
    "ConsistencyLoss": "consistency",
    "ConsistencySampler": "consistency",
    "CosineVP": "preserving",
    "DenoisingDecoder": "denoiser",
    "DenoisingLoss": "losses",
    "DiscreteVP": "preserving",
    "EvenPath": "points",
    "GridPath": "points",
    "Guidance": "predictor",
    "LinearVP": "preserving",
    "LogSNRVP": "preserving",
    "MultistepStep": "steps",
    "NoisingProcess": "processes",
    "Point": "points",
    "Predictor": "predictor",
    "PredictorCorrectorStep": "steps",
    "ReflowLoss": "reflow",
    "RungeKuttaStep": "flow_steps",
    "StraightPaths": "processes",
    "Teacher": "teacher",
    "Times": "times",
    "UniPCStep": "steps",
    "VarianceExploding": "processes",
    "WalkSampler": "walking",
    "Weighting": "weighting",
    "flow_log_prob": "flow",
    "optimal_pairs": "pairing",
    "sliced_error": "losses",
    "variational_bound": "bound",
}

__all__ = [
    *specs.__all__,
    *_LOADED_WHEN_USED,
    "Chain",
    "Consistent",
    "EndsInNoise",
    "Grid",
    "KeepsConditions",
    "Preconditioned",
    "Prediction",
    "PredictsNoise",
    "Solver",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the processes, the denoiser and the consistency function, the losses and the samplers."""
    return components(specs)


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments in the plane and on digits."""
    summaries = {
        "diffusion-moons": "two moons by an EDM process and a perceptron; a minute",
        "consistency-moons": "two moons in one to four steps, distilled from diffusion-moons",
        "rectified-moons": "two moons by flow matching on straight paths",
        "reflow-moons": "two moons in four steps, on paths that rectified-moons straightens",
        "diffusion-digits": "8x8 digits by a cosine process and a small UNet; minutes",
        "cdiffusion-digits": "the same by class, with guidance",
        "diffusion-mnist": "MNIST by a small UNet; an hour",
        "diffusion-photos": "your own photos, 64x64 in colour, by a U-Net",
        "latent-diffusion-photos": "your own photos, 64x64 in colour, by an autoencoder and a diffusion model of its codes",
        "latent-diffusion-fashion": "Fashion-MNIST by an autoencoder and a diffusion model of its codes; an hour",
    }
    return [Recipe(name, "genframe_diffusion", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]


__getattr__, __dir__ = loaded_when_used(__name__, _LOADED_WHEN_USED)
