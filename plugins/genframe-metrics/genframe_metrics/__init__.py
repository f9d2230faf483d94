"""genframe plugin: metrics with their protocol stamped on every result, and the classifiers whose features some compare."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import (
    Accuracy,
    Elbo,
    Frechet,
    KernelDistance,
    Mmd,
    Modes,
    Nll,
    Parzen,
    Pca,
    Perceptual,
    PrecisionRecall,
    Reconstruction,
    SamplingCost,
    SamplingTime,
    ShapesRead,
    SlicedWasserstein,
    StackedModes,
    TwoSample,
)

__all__ = [
    "Accuracy",
    "Elbo",
    "Frechet",
    "KernelDistance",
    "Mmd",
    "Modes",
    "Nll",
    "Parzen",
    "Pca",
    "Perceptual",
    "PrecisionRecall",
    "Reconstruction",
    "SamplingCost",
    "SamplingTime",
    "ShapesRead",
    "SlicedWasserstein",
    "StackedModes",
    "TwoSample",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the metrics, and the loss over features."""
    return [
        Accuracy,
        Elbo,
        Frechet,
        KernelDistance,
        Mmd,
        Modes,
        Nll,
        Parzen,
        Pca,
        Perceptual,
        PrecisionRecall,
        Reconstruction,
        SamplingCost,
        SamplingTime,
        ShapesRead,
        SlicedWasserstein,
        StackedModes,
        TwoSample,
    ]


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the classifiers of digits, and of MNIST and Fashion-MNIST where they are at hand."""
    summaries = {
        "digits-classifier": "a classifier of 8x8 digits, for features; seconds",
        "mnist-classifier": "a classifier of MNIST, for features and for counting modes of stacked digits",
        "fashion-classifier": "a classifier of Fashion-MNIST, for features",
        "faces-classifier": "a classifier of sunglasses on CMU faces, persons held out, to judge edits",
    }
    return [Recipe(name, "genframe_metrics", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
