"""genframe plugin: generative adversarial networks."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import Adversarial, Bidirectional, Game, LatentAdversarial, Spectral

__all__ = ["Adversarial", "Bidirectional", "Game", "LatentAdversarial", "Spectral"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the wrapper of critics and the losses."""
    return [Spectral, Adversarial, LatentAdversarial, Bidirectional]


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on modes in the plane and on digits."""
    summaries = {
        "gan-grid25": "25 modes on a grid, by PacGAN's protocol: relativistic, with annealed penalties",
        "gan-grid25-plain": "the same by the plain non-saturating game, to show the gap",
        "gan-ring8": "eight modes on a circle, by PacGAN's protocol",
        "gan-digits": "8x8 digits by perceptrons; a minute",
    }
    return [Recipe(name, "genframe_gan", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
