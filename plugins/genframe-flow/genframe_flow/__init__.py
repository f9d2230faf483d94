"""genframe plugin: normalising flows with exact likelihood."""

from __future__ import annotations

from genframe import ComponentSpec, Recipe, hookimpl

from .specs import (
    Dequantise,
    FlowSequence,
    Glow,
    Iaf,
    Inversion,
    LearnedGaussian,
    Logistic,
    Logit,
    Maf,
    Nice,
    Quantise,
    RealNvp,
    Scaling,
    Spline,
    Whitening,
)

__all__ = [
    "Dequantise",
    "FlowSequence",
    "Glow",
    "Iaf",
    "Inversion",
    "LearnedGaussian",
    "Logistic",
    "Logit",
    "Maf",
    "Nice",
    "Quantise",
    "RealNvp",
    "Scaling",
    "Spline",
    "Whitening",
]


@hookimpl
def genframe_specs() -> list[type[ComponentSpec]]:
    """Return the encoders, the decoder and the priors."""
    return [
        Nice,
        RealNvp,
        Spline,
        Maf,
        Iaf,
        Dequantise,
        FlowSequence,
        Glow,
        LearnedGaussian,
        Logistic,
        Logit,
        Quantise,
        Scaling,
        Whitening,
        Inversion,
    ]


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
        "glow-faces": "a small Glow of the CMU faces, persons held out, for edits; a minute",
        "vardeq-digits": "realnvp-digits with variational dequantisation; half a minute",
        "vae-flow-digits": "a variational autoencoder of 8x8 digits with a flow as its prior",
        "ae-flow-digits": "an autoencoder of 8x8 digits, then a spline flow of its codes",
    }
    return [Recipe(name, "genframe_flow", f"recipes/{name}.yaml", summary) for name, summary in summaries.items()]
