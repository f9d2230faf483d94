"""genframe plugin: generative adversarial networks.

Importing this package does not import torch: the implementations are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genframe import ComponentSpec, Recipe, components, hookimpl
from genframe.lazy import loaded_when_used

from . import specs
from .rules import Rules
from .specs.losses import *
from .specs.spectral import *

if TYPE_CHECKING:
    from .critic import *
    from .diagnostics import *
    from .game import *
    from .losses import *
    from .objectives import *
    from .penalties import *
    from .spectral import *

_LOADED_WHEN_USED = {
    "critic": ("Critic",),
    "diagnostics": ("COLLAPSE", "PATIENCE", "Collapse", "gradient_norm", "spread"),
    "game": ("AdversarialTerms", "Evidence"),
    "losses": ("AdversarialLoss", "BidirectionalLoss", "GameLoss", "LatentAdversarialLoss"),
    "objectives": ("OBJECTIVES", "Objective"),
    "penalties": ("gradient_penalty", "gradients", "zero_centred"),
    "spectral": ("SpectralEncoder", "normalised"),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}

__all__ = [*specs.__all__, "Rules", *_MODULE_OF]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the wrapper of critics and the losses."""
    return components(specs)


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on modes in the plane, on digits and on clothes."""
    summaries = {
        "gan-grid25": "25 modes on a grid, by PacGAN's protocol: relativistic, with annealed penalties",
        "gan-grid25-plain": "the same by the plain non-saturating game, to show the gap",
        "gan-ring8": "eight modes on a circle, by PacGAN's protocol",
        "gan-digits": "8x8 digits by perceptrons; a minute",
        "gan-mnist": "28x28 digits by convolutions; ten minutes",
        "gan-photos": "your own photos, 64x64 in colour, by convolutions",
        "gan-fashion": "28x28 pictures of clothes by convolutions; ten minutes",
        "aae-digits": "adversarial autoencoder of 8x8 digits, its latents made to look like the prior",
        "vaegan-digits": "variational autoencoder of 8x8 digits whose samples a critic judges as well",
    }
    return [Recipe(name, "genframe_gan", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
