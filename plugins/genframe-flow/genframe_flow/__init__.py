"""genframe plugin: normalising flows with exact likelihood.

Importing this package does not import torch: the parts that need it are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .specs.autoregressive import *
from .specs.coupling import *
from .specs.dequantisation import *
from .specs.metrics import *
from .specs.multiscale import *
from .specs.preprocessing import *
from .specs.priors import *

if TYPE_CHECKING:
    from .autoregressive import *
    from .bijection import *
    from .chain import *
    from .coupling import *
    from .dequantisation import *
    from .elementwise import *
    from .encoder import *
    from .flow import *
    from .inversion import *
    from .mixing import *
    from .multiscale import *
    from .networks import *
    from .noise import *
    from .preprocessing import *
    from .priors import *
    from .shapes import *
    from .spline import *
    from .stacks import *

_LOADED_WHEN_USED = {
    "autoregressive": ("Autoregressive", "Inverted"),
    "bijection": ("Bijection",),
    "chain": ("Chain",),
    "coupling": ("CheckerboardCoupling", "Coupling"),
    "dequantisation": ("CertainLevel", "DequantiseEncoder", "QuantiseDecoder"),
    "elementwise": ("Additive", "Affine", "Elementwise"),
    "encoder": ("FlowEncoder", "SequenceEncoder"),
    "flow": ("Flow", "glow", "iaf", "maf", "nice", "nsf", "realnvp"),
    "inversion": ("InversionMetric",),
    "mixing": ("ActNorm", "Diagonal", "Linear", "NormalisedLinear"),
    "multiscale": ("MultiScale",),
    "networks": ("convolutions", "perceptrons"),
    "noise": ("Bins", "LogitNormalNoise", "UniformNoise"),
    "preprocessing": ("LogitMap", "Rescaling", "Standardisation", "Whitener"),
    "priors": ("GaussianPrior", "LogisticPrior"),
    "shapes": ("Flatten", "Permutation", "Squeeze"),
    "spline": ("RationalQuadratic",),
    "stacks": ("glow_stack", "realnvp_stack", "vector_stack"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}

__all__ = [*specs.__all__, *_MODULE_OF]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoders, the decoder, the priors and the metric."""
    return components(specs)


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on points in the plane and on digits, and on other data where they are at hand."""
    summaries = {
        "spline-moons": "an autoregressive spline flow of points in the plane; a minute",
        "nice-mnist": "NICE of Dinh et al. 2014 on dequantised MNIST",
        "spline-table": "an autoregressive spline flow of a table of numbers; half a minute",
        "spline-patches": "autoregressive layers and splines over whitened 8x8 patches, in bits per dimension",
        "realnvp-digits": "RealNVP of 8x8 digits, in bits per dimension; half a minute",
        "glow-digits": "Glow of 8x8 digits, in bits per dimension; half a minute",
        "glow-cifar": "a small Glow of a subset of CIFAR-10, in bits per dimension; six minutes",
        "flow-photos": "a small Glow of your own photos, 64x64 in colour, in bits per dimension",
        "glow-faces": "a small Glow of the CMU faces, persons held out, for edits; a minute",
        "vardeq-digits": "realnvp-digits with variational dequantisation; half a minute",
        "vae-flow-digits": "a variational autoencoder of 8x8 digits with a flow as its prior",
        "ae-flow-digits": "an autoencoder of 8x8 digits, then a spline flow of its codes",
    }
    return [Recipe(name, "genframe_flow", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
