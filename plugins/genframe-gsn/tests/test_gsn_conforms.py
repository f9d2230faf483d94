"""Every part of the plugin keeps what a component promises, around networks small enough for a test."""

from __future__ import annotations

from typing import ClassVar

from genframe import ModelSpec, Real
from genframe.testing import Example, PluginConformance
from genframe_gsn import Chain, Stochastic, Walkback
from genframe_nets import MLP, Conv, MLPDecoder
from genframe_vae import Bernoulli, NormalLikelihood

READS, WRITES = MLP(hidden=(16,)), MLPDecoder(hidden=(16,))
OF_BITS = ModelSpec(
    encoder=Stochastic(dim=4, network=READS), decoder=Bernoulli(network=WRITES), loss=Walkback(), sampler=Chain(steps=3)
)
OF_REALS = ModelSpec(
    encoder=Stochastic(dim=4, network=READS, corruption="gaussian"),
    decoder=NormalLikelihood(network=WRITES),
    loss=Walkback(),
    sampler=Chain(steps=3),
)


class TestGsn(PluginConformance):
    """The conformance kit."""

    plugin = "gsn"
    examples: ClassVar = {
        "gsn/stochastic": [
            Stochastic(dim=4, network=READS),
            Stochastic(dim=3, network=READS, corruption="gaussian", noise=0),
            Example(Stochastic(dim=3, network=Conv(channels=(4,))), data=Real((1, 8, 8), 0, 1)),
        ],
        "gsn/walkback": [
            Example(Walkback(steps=1), model=OF_BITS),
            Example(Walkback(), model=OF_BITS),
            Example(Walkback(steps=2), model=OF_REALS),
        ],
        "gsn/chain": [
            Example(Chain(steps=5), model=OF_BITS),
            Example(Chain(steps=5, burn_in=3, draw="sample"), model=OF_REALS),
        ],
    }
