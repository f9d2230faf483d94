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
    """Return the experiments on modes in the plane, on digits and on clothes."""
    summaries = {
        "gan-grid25": "25 modes on a grid, by PacGAN's protocol: relativistic, with annealed penalties",
        "gan-grid25-plain": "the same by the plain non-saturating game, to show the gap",
        "gan-ring8": "eight modes on a circle, by PacGAN's protocol",
        "gan-digits": "8x8 digits by perceptrons; a minute",
        "gan-mnist": "28x28 digits by convolutions; ten minutes",
        "gan-fashion": "28x28 pictures of clothes by convolutions; ten minutes",
        "aae-digits": "adversarial autoencoder of 8x8 digits, its latents made to look like the prior",
        "vaegan-digits": "variational autoencoder of 8x8 digits whose samples a critic judges as well",
    }
    return [Recipe(name, "genframe_gan", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
