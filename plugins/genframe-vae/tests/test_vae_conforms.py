"""Every part of the plugin keeps what a component promises, around networks small enough for a test."""

from __future__ import annotations

from typing import ClassVar

from genframe.testing import Example, PluginConformance
from genframe_nets import MLP, MLPDecoder
from genframe_vae import (
    Bernoulli,
    CategoricalLikelihood,
    Corrupted,
    Discretised,
    Elbo,
    FullGaussian,
    Gaussian,
    GaussianMixture,
    Iwae,
    NormalLikelihood,
    Reconstruction,
    Vamp,
)

READS = MLP(hidden=(16,))
WRITES = MLPDecoder(hidden=(16,))


class TestVae(PluginConformance):
    """The conformance kit."""

    plugin = "vae"
    examples: ClassVar = {
        "vae/gaussian": [Gaussian(dim=2, network=READS), Gaussian(dim=5, network=READS)],
        "vae/full_gaussian": [FullGaussian(dim=2, network=READS), FullGaussian(dim=5, network=READS)],
        "vae/corrupted": [
            Corrupted(network=READS),
            Corrupted(network=Gaussian(dim=2, network=READS), corruption="gaussian"),
            Corrupted(network=READS, corruption="salt_and_pepper"),
        ],
        "vae/bernoulli": [Bernoulli(network=WRITES)],  # of grey values it is no probability, as its field 'grey' says
        "vae/normal": [
            NormalLikelihood(network=WRITES),
            NormalLikelihood(network=WRITES, variance="learned"),
            NormalLikelihood(network=WRITES, variance="per_pixel"),
        ],
        "vae/discretised_logistic": [Discretised(network=WRITES), Discretised(network=WRITES, scale="shared")],
        "vae/categorical": [CategoricalLikelihood(network=WRITES)],
        "vae/gmm": [GaussianMixture(), GaussianMixture(components=3, covariance="diagonal")],
        "vae/vamp": [Example(Vamp(components=7), encoder=Gaussian(dim=2, network=READS))],
        "vae/elbo": [Elbo(), Elbo(beta=4.0, anneal_steps=10, free_bits=0.1, samples=2)],
        "vae/iwae": [Iwae(samples=3)],
        "vae/reconstruction": [
            Reconstruction(),
            Reconstruction(sparsity=0.1, contractive=0.1),
            Reconstruction(contractive=0.1, probes=2),
        ],
    }
