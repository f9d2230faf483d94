"""Specs of the metrics. No torch."""

from __future__ import annotations

from .classifiers import Accuracy, StackedModes
from .cost import SamplingCost, SamplingTime
from .distances import FeatureMetric, Frechet, KernelDistance, Mmd, PrecisionRecall, SlicedWasserstein, TwoSample
from .likelihoods import Elbo, Nll
from .modes import Modes
from .parzen import Parzen
from .perceptual import Perceptual
from .reconstruction import Pca, Reconstruction
from .shapes import ShapesRead

__all__ = [
    "Accuracy",
    "Elbo",
    "FeatureMetric",
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
