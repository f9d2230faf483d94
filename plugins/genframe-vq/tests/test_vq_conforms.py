"""Every part of the plugin keeps what a component promises, with networks small enough for a test."""

from __future__ import annotations

from typing import Any, ClassVar

from genframe import ModelSpec, Real
from genframe.core import CategoricalPrior, IdentityEncoder
from genframe.testing import Example, PluginConformance
from genframe_nets import MLP, Conv, ConvDecoder, MLPDecoder
from genframe_vae import Bernoulli
from genframe_vq import CodebookUse, CodeLength, FiniteScalar, LookupFree, Quantizer, VqVae

READS = Conv(channels=(6,))
VECTOR = MLP(hidden=(8,))
WRITES = ConvDecoder(channels=(6,))
IMAGES = Real((1, 8, 8), 0, 1)
BITS = Real((1, 8, 8), 0, 1, levels=2)


def small(**fields: Any) -> Quantizer:
    """Return a quantiser of codes near enough to each other that a context changes them."""
    return Quantizer(**{"network": READS, "size": 100, "dim": 4, **fields})


def model(encoder: Any, **parts: Any) -> ModelSpec:
    """Return a model with codes of independent classes."""
    return ModelSpec(**{"encoder": encoder, "decoder": WRITES, "prior": CategoricalPrior(), "loss": VqVae(), **parts})


class TestVq(PluginConformance):
    """The conformance kit."""

    plugin = "vq"
    examples: ClassVar = {
        "vq/quantizer": [
            small(),
            small(network=VECTOR, groups=2, layers=2, gradient="rotation"),
            Example(small(codebook="gradient", distance="cosine"), IMAGES),
            Example(small(codebook="gradient", layers=2, revive=None), IMAGES),
            Example(small(network=IdentityEncoder(), dim=2), Real((4, 8))),
        ],
        "vq/fsq": [
            FiniteScalar(network=READS, channel_levels=(4, 301, 2)),
            FiniteScalar(network=VECTOR, channel_levels=(500,)),
        ],
        "vq/lfq": [LookupFree(network=READS, bits=13), LookupFree(network=MLP(hidden=(8, 8)), bits=12, temperature=0.1)],
        "vq/vqvae": [
            Example(VqVae(window=8), IMAGES, model=model(small(groups=2))),
            Example(VqVae(beta=0.0), IMAGES, model=model(small(codebook="gradient", gradient="rotation", layers=2))),
            Example(VqVae(entropy=1.0), IMAGES, model=model(LookupFree(network=READS, bits=3))),
            Example(VqVae(), BITS, model=model(FiniteScalar(network=READS), decoder=Bernoulli(network=WRITES))),
            Example(VqVae(), model=model(small(network=VECTOR), decoder=MLPDecoder(hidden=(8,)))),
        ],
        "vq/codebook": [
            Example(CodebookUse(), IMAGES, model=model(small(layers=2))),
            Example(CodebookUse(), model=model(small(network=VECTOR), decoder=MLPDecoder(hidden=(8,)))),
        ],
        "vq/code_length": [Example(CodeLength(limit=20), BITS, model=model(small(), decoder=Bernoulli(network=WRITES)))],
    }
