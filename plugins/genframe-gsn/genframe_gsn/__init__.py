"""genframe plugin: generative stochastic networks."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import Chain, Stochastic, Walkback

__all__ = ["Chain", "Stochastic", "Walkback"]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoder, the loss and the sampler."""
    return [Stochastic, Walkback, Chain]


@hookimpl
def genframe_recipes() -> list[Recipe]:
    """Return the experiments on digits, and on MNIST where that is at hand."""
    summaries = {
        "gsn-digits": "a generative stochastic network of 8x8 digits, with its Parzen-window likelihood; a minute",
        "gsn-mnist": "the same of MNIST, to stand beside the figures of 2014; less than half an hour",
    }
    return [Recipe(name, "genframe_gsn", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
