"""Every part of the plugin keeps what a component promises, with machines small enough for a test."""

from __future__ import annotations

from typing import Any, ClassVar

from genframe import Categorical, ModelSpec, Real
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe.testing import Example, PluginConformance
from genframe_energy import (
    ContrastiveDivergence,
    Dbm,
    Gibbs,
    Hmc,
    Langevin,
    LangevinLikelihood,
    LogLikelihood,
    Mixing,
    Neural,
    NoiseContrastive,
    Rbm,
    ScoreMatching,
    Stack,
    Tempering,
    Unstacked,
)
from genframe_nets import MLP, Conv

SMALL = Rbm(hidden=5, sweeps=3)
LARGE = Rbm(hidden=21, sweeps=3)  # too many hidden units to enumerate
NEURAL = Neural(network=MLP(hidden=(8,)), base=2.0, sweeps=3)
IMAGES, REALS = Real((1, 8, 8), 0, 1), Real((6,))
CODES = (Real((2,), 0, 1, levels=2), Real((1, 8, 8), 0, 1, levels=2), Categorical((3,), 2), Categorical((4,), 5), Real((6,)))


def model(prior: Any = SMALL, **parts: Any) -> ModelSpec:
    """Return a model of the codes themselves."""
    parts = {"loss": ContrastiveDivergence(), "sampler": Gibbs(steps=3), **parts}
    return ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=prior, **parts)


DEEP = Dbm(hidden=(5, 4), mean_field=3, sweeps=3)
STACK = Stack(hidden=(6, 5))
FACTORS = Stack(hidden=(6,), dim=3, k=2, weight_decay=0.1)
SMOOTH = model(NEURAL, loss=ScoreMatching(), sampler=Langevin(steps=3))


class TestEnergy(PluginConformance):
    """The conformance kit."""

    plugin = "energy"
    examples: ClassVar = {
        "energy/stack": [Example(STACK, IMAGES), Example(FACTORS, IMAGES), Example(FACTORS, Real((6,), -1, 1))],
        "energy/unstacked": [
            Example(Unstacked(), IMAGES, latent=Real((5,), 0, 1), encoder=STACK),
            Example(Unstacked(tied=True), IMAGES, latent=Real((3,)), encoder=FACTORS),
        ],
        "energy/rbm": [
            *(Example(SMALL, latent=code) for code in CODES),
            Example(Rbm(hidden=5, sweeps=3, variance="learned"), latent=Real((6,))),
            Example(Rbm(hidden=5, sweeps=3, centred=True), latent=CODES[1]),
        ],
        "energy/dbm": [
            *(Example(DEEP, latent=code) for code in CODES[:3]),
            Example(Dbm(hidden=(5, 4, 3, 2), mean_field=3, sweeps=3), latent=CODES[1]),
        ],
        "energy/neural": [
            NEURAL,
            Neural(network=MLP(hidden=(8,), dim=1), sweeps=3),
            Example(Neural(network=Conv(channels=(4,)), sweeps=3), latent=IMAGES),
        ],
        "energy/contrastive_divergence": [
            Example(ContrastiveDivergence(k=2), model=model()),
            Example(ContrastiveDivergence(persistent=True, chains=7), model=model()),
            Example(ContrastiveDivergence(persistent=True, chains=7), model=model(DEEP)),
            Example(ContrastiveDivergence(k=2), model=model(DEEP)),
            Example(ContrastiveDivergence(weight_decay=0.1, sparsity_cost=0.5, sparsity_target=0.1), CODES[1], model=model()),
        ],
        "energy/langevin_likelihood": [
            Example(LangevinLikelihood(steps=2, buffer=20), model=SMOOTH),
            Example(LangevinLikelihood(steps=2, buffer=20, adjusted=True, energy_cost=0.1), REALS, model=SMOOTH),
        ],
        "energy/score_matching": [
            Example(ScoreMatching(), model=SMOOTH),
            Example(ScoreMatching(method="sliced"), model=SMOOTH),
        ],
        "energy/noise_contrastive": [Example(NoiseContrastive(ratio=2, deviation=1.5), model=SMOOTH)],
        "energy/langevin": [Example(Langevin(steps=5), model=SMOOTH), Example(Langevin(steps=5, adjusted=False), model=SMOOTH)],
        "energy/hmc": [Example(Hmc(steps=3, leapfrogs=2), model=SMOOTH)],
        "energy/tempering": [Example(Tempering(steps=5, temperatures=(1, 2, 3)), model=SMOOTH)],
        "energy/gibbs": [Example(Gibbs(steps=7, burn_in=2, thinning=3), model=model())],
        "energy/log_likelihood": [
            Example(LogLikelihood(), model=model()),
            Example(LogLikelihood(), model=model(DEEP)),
            Example(LogLikelihood(samples=4, betas=((5, 0.5), (5, 1.0)), sweeps=5, limit=20), model=model(LARGE)),
        ],
        "energy/mixing": [
            Example(Mixing(chains=3, burn_in=2, draws=20), model=model()),
            Example(Mixing(chains=3, burn_in=2, draws=20), model=SMOOTH),
        ],
    }
