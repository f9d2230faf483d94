"""Every part of the plugin keeps what a component promises, with networks small enough for a test."""

from __future__ import annotations

from typing import ClassVar

from genframe.core import IdentityEncoder
from genframe.testing import Example, PluginConformance
from genframe_flow import (
    Dequantise,
    FlowSequence,
    Glow,
    Iaf,
    LearnedGaussian,
    Logit,
    Maf,
    Nice,
    Quantise,
    RealNvp,
    Scaling,
    Spline,
    Whitening,
)
from genframe_nets import IsotropicDecoder, MLPDecoder

SMALL = MLPDecoder(hidden=(16,))
QUIET = MLPDecoder(hidden=(16,), zero=True)
GRID = IsotropicDecoder(channels=8, zero=True)


class TestFlow(PluginConformance):
    """The conformance kit."""

    plugin = "flow"
    examples: ClassVar = {
        "flow/nice": [Nice(network=SMALL, order="even_odd")],
        "flow/realnvp": [
            RealNvp(network=QUIET, couplings=3),
            RealNvp(network=SMALL, couplings=3, order="linear", scale="sigmoid"),
            RealNvp(network=QUIET, couplings=3, order="shuffled", scale="exp"),
            RealNvp(network=GRID, scales=2),
        ],
        "flow/glow": [Glow(network=GRID, steps=2, scales=2), Glow(network=QUIET, steps=2)],
        "flow/spline": [
            Spline(network=QUIET, couplings=2, bins=4),
            Spline(network=QUIET, couplings=2, bins=4, layer="autoregressive", order="even_odd"),
        ],
        "flow/maf": [Maf(hidden=(16,), layers=2), Maf(hidden=(16,), layers=2, order="shuffled", scale="sigmoid")],
        "flow/iaf": [Iaf(hidden=(16,), layers=2), Iaf(hidden=(16,), layers=2, memory="constant")],
        "flow/sequence": [
            FlowSequence(flows=(Scaling(), RealNvp(network=QUIET, couplings=2), IdentityEncoder(), Nice(network=SMALL))),
            FlowSequence(flows=(Scaling(), RealNvp(network=QUIET, couplings=2), IdentityEncoder()), memory="constant"),
            FlowSequence(flows=(Logit(), Whitening(rotation="pca"))),
        ],
        "flow/logit": [Logit(), Logit(alpha=1e-6)],
        "flow/scaling": [Scaling(), Scaling(scale=2.0, shift=-1.0), Scaling(to=(-1.0, 3.0))],
        "flow/whitening": [Whitening(), Whitening(rotation="pca")],
        "flow/dequantise": [Dequantise(network=SMALL), Dequantise(network=None)],
        "flow/quantise": [Example(Quantise(), encoder=Dequantise(network=None))],
        "flow/gaussian": [LearnedGaussian(), LearnedGaussian(per="level")],
    }
