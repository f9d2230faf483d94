"""genframe plugin: diffusion, score models and flow matching."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import (
    DDIM,
    DDPM,
    EDM,
    ODE,
    VP,
    ConsistencyFunction,
    ConsistencySteps,
    ConsistencyTraining,
    Consistent,
    DenoiserDecoder,
    Denoising,
    DPMpp2M,
    DPMppSDE,
    Euler,
    EulerAncestral,
    GridWalk,
    Heun,
    PredictorCorrector,
    Process,
    Rectified,
    Reflow,
    UniPC,
    Walk,
)

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
    "PredictorCorrector",
    "Process",
    "Rectified",
    "Reflow",
    "UniPC",
    "Walk",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the processes, the denoiser and the consistency function, the losses and the samplers."""
    return [
        VP,
        EDM,
        Rectified,
        DenoiserDecoder,
        ConsistencyFunction,
        Denoising,
        ConsistencyTraining,
        Reflow,
        DDPM,
        DDIM,
        Euler,
        EulerAncestral,
        Heun,
        DPMpp2M,
        DPMppSDE,
        UniPC,
        PredictorCorrector,
        ODE,
        ConsistencySteps,
    ]


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
        "latent-diffusion-fashion": "Fashion-MNIST by an autoencoder and a diffusion model of its codes; an hour",
    }
    return [Recipe(name, "genframe_diffusion", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
