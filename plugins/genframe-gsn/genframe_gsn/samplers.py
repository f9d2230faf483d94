"""The Markov chain of a generative stochastic network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from torch import Generator

from genframe import Context, Model, Sampler, State
from genframe.traits import Likelihood

from .traits import Corrupting

if TYPE_CHECKING:
    from .specs import Chain

__all__ = ["ChainSampler"]


class ChainSampler(Sampler):
    """Chains that start from decoded draws of the prior."""

    def __init__(self, spec: Chain) -> None:
        self.steps, self.burn_in, self.shows_mean = spec.steps, spec.burn_in, spec.draw == "mean"

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield every state after the burn-in."""
        encoder, decoder = cast(Corrupting, model.encoder), cast(Likelihood, model.decoder)
        latent = model.latents(model.prior.sample(n, context, generator))
        x = decoder.likelihood(latent, context).rsample(generator)
        for step in range(1, self.steps + 1):
            likelihood = decoder.likelihood(encoder.encode_noisy(x, context, generator), context)
            x = likelihood.rsample(generator)
            if step > self.burn_in:
                yield State(likelihood.mean if self.shows_mean else x, step, self.steps)
