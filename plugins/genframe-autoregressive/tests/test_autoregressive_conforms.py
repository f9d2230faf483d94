"""Every part of the plugin keeps what a component promises, with networks small enough for a test."""

from __future__ import annotations

from typing import ClassVar

from genframe import Categorical, ModelSpec, Real
from genframe.core import IdentityDecoder, IdentityEncoder, NegativeLogLikelihood
from genframe.testing import Example, PluginConformance
from genframe_autoregressive import Made, PixelCNN, PixelRNN, SequentialSampling, TextEncoder, Transformer

CLASSES, LEVELS = Categorical((2, 3), 3), Real((2, 2, 2), -1, 1, levels=3)
VECTORS = Real((3, 4))
SMALL_CNN = PixelCNN(channels=6, layers=2, first_kernel=3)
SMALL_TRANSFORMER = Transformer(dim=8, depth=1, heads=2)
MODEL = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=Made(hidden=(8,)), loss=NegativeLogLikelihood())


class TestAutoregressive(PluginConformance):
    """The conformance kit."""

    plugin = "autoregressive"
    examples: ClassVar = {
        "autoregressive/made": [Made(hidden=(16, 16)), Example(Made(hidden=(16,)), latent=LEVELS)],
        "autoregressive/pixelcnn": [
            Example(SMALL_CNN, latent=CLASSES),
            Example(PixelCNN(channels=6, layers=2, first_kernel=3, mixture=2), latent=LEVELS),
        ],
        "autoregressive/pixelrnn": [
            Example(PixelRNN(channels=6, layers=1, first_kernel=3), latent=CLASSES),
            Example(PixelRNN(channels=6, layers=1, first_kernel=3), latent=LEVELS),
        ],
        "autoregressive/transformer": [
            SMALL_TRANSFORMER,
            Example(SMALL_TRANSFORMER, latent=LEVELS),
            Example(SMALL_TRANSFORMER, latent=CLASSES, context=VECTORS),
        ],
        "autoregressive/sequential": [Example(SequentialSampling(temperature=0.9, top_k=3), model=MODEL)],
        "autoregressive/text_encoder": [
            TextEncoder(dim=8, depth=1, heads=2),
            TextEncoder(dim=8, depth=1, heads=2, pool=True),
        ],
    }
