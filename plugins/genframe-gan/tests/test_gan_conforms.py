"""Every part of the plugin keeps what a component promises, around networks small enough for a test."""

from __future__ import annotations

from typing import Any, ClassVar

from genframe import ModelSpec, Real, Space
from genframe.core import Normal
from genframe.testing import Example, PluginConformance
from genframe_gan import Adversarial, Bidirectional, LatentAdversarial, Spectral
from genframe_nets import MLP, Conv, MLPDecoder

READS = MLP(hidden=(8,))
PLANE = Real((2,))
IMAGES = Real((1, 8, 8), 0, 1)
WRITES = MLPDecoder(hidden=(8,))
GAN = ModelSpec(decoder=WRITES, prior=Normal(shape=(6,)), loss=Adversarial(critic=READS))
AUTOENCODER = ModelSpec(encoder=MLP(hidden=(8,), dim=3), decoder=WRITES, loss=Adversarial(critic=READS))


def gan(data: Space | None = PLANE, model: ModelSpec = GAN, **fields: Any) -> Example:
    """Return a loss in a model whose decoder has a gradient; points in the plane unless said otherwise."""
    return Example(Adversarial(**{"critic": READS, **fields}), data, model=model)


class TestGan(PluginConformance):
    """The conformance kit; its batches are of 5 and 10, so packs are of 5."""

    plugin = "gan"
    examples: ClassVar = {
        "gan/spectral": [Spectral(network=MLP(hidden=(16,), dim=3)), Spectral(network=Conv(channels=(4, 8)), iterations=2)],
        "gan/adversarial": [
            gan(None),
            gan(objective="minimax"),
            gan(objective="least_squares", packing=5, conditioning="input"),
            gan(objective="non_saturating", critic=Spectral(network=READS), n_critic=2),
            gan(r1=0.1, r2=0.2, penalty_every=3, anneal_steps=5, penalty_end=0.1),
            gan(objective="wasserstein", gradient_penalty=1.0, noise=0.1),
            gan(model=AUTOENCODER, objective="wasserstein", clip_weights=0.05, fakes="reconstructions"),
            gan(IMAGES, critic=Conv(channels=(4,)), r1=0.1, augment=("brightness", "translation", "cutout")),
        ],
        "gan/latent_adversarial": [
            Example(LatentAdversarial(critic=READS), model=AUTOENCODER),
            Example(LatentAdversarial(critic=READS, r1=1.0, packing=5), PLANE, model=AUTOENCODER),
        ],
        "gan/bidirectional": [
            Example(Bidirectional(critic=READS), model=AUTOENCODER),
            Example(
                Bidirectional(critic=READS, objective="least_squares", r1=0.1, gradient_penalty=0.1), PLANE, model=AUTOENCODER
            ),
        ],
    }
