"""genframe plugin: metrics with their protocol stamped on every result, and the classifiers whose features some compare.

Importing this package does not import torch: the implementations are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs.cost import *
from .specs.distances import *
from .specs.likelihoods import *
from .specs.modes import *
from .specs.reconstruction import *

if TYPE_CHECKING:
    from .accuracy import *
    from .c2st import *
    from .classifier import *
    from .cost import *
    from .discrepancy import *
    from .estimates import *
    from .features import *
    from .frechet import *
    from .likelihoods import *
    from .modes import *
    from .neighbours import *
    from .pairs import *
    from .parzen import *
    from .perceptual import *
    from .reconstruction import *
    from .shapes import *
    from .sliced import *
    from .stacks import *

_LOADED_WHEN_USED = {
    "accuracy": ("AccuracyMetric",),
    "classifier": ("Classifier", "class_log_probs"),
    "cost": ("SamplingCostMetric", "SamplingTimeMetric", "Usage"),
    "discrepancy": ("KernelDistanceMetric", "MmdMetric", "kernel_distance", "median_distance", "mmd", "squared_mmd"),
    "estimates": ("Estimate", "jackknife"),
    "features": ("Extractor", "extractor"),
    "frechet": ("FrechetMetric", "Moments", "frechet_distance", "moments", "normal_distance"),
    "likelihoods": ("ElboMetric", "NllMetric", "importance_weighted", "rate_and_distortion"),
    "modes": ("Coverage", "ModesMetric", "coverage", "divergence_from_equal", "expected_coverage"),
    "neighbours": ("Neighbourhood", "PrecisionRecallMetric", "precision_recall"),
    "pairs": ("FeatureComparison",),
    "parzen": ("ParzenMetric", "parzen_log_prob"),
    "perceptual": ("FrozenEncoder", "PerceptualLoss"),
    "reconstruction": ("PcaMetric", "PrincipalComponents", "ReconstructionMetric", "principal_components"),
    "shapes": ("ShapesMetric",),
    "sliced": ("SlicedWassersteinMetric", "sliced_wasserstein", "wasserstein"),
    "stacks": ("StackedModesMetric", "modes_of"),
    "c2st": ("TwoSampleMetric", "p_value", "two_sample"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}

__all__ = [*specs.__all__, *_MODULE_OF]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the metrics, and the loss over features."""
    return components(specs)


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


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
