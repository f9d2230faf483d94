"""The core's components keep what they promise."""

from __future__ import annotations

from typing import ClassVar

from genframe import ModelSpec
from genframe.core import Ancestral, IdentityDecoder, IdentityEncoder, ModelPrior, NegativeLogLikelihood, Normal, Sum
from genframe.testing import PluginConformance

FLOW = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), loss=NegativeLogLikelihood())


class TestCore(PluginConformance):
    plugin = "core"
    examples: ClassVar = {
        "core/model": [ModelPrior(model=FLOW)],
        "core/sum": [Sum(terms=(NegativeLogLikelihood(), NegativeLogLikelihood()), weights=(0.5, 2.0))],
        "core/normal": [Normal(), Normal(shape=(3,))],
        "core/ancestral": [Ancestral(), Ancestral(draw="sample"), Ancestral(temperature=0.7), Ancestral(temperature=(0.7,))],
    }
