"""The Markov chain of a generative stochastic network."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Generator, Tensor

from genframe import Context, Model, Sampler, State
from genframe.types import Distribution, Likelihood

from .traits import Corrupting, Shown

__all__ = ["ChainSampler", "chain"]


def chain(
    encoder: Corrupting, decoder: Likelihood, x: Tensor, context: Context | None = None, generator: Generator | None = None
) -> Iterator[tuple[Distribution, Tensor]]:
    """Yield p(x|z) and a draw of it (n, data) after each step of chains from data (n, data), without end.

    A step corrupts the data, draws a latent, and draws data given it. Bengio et al. 2014, sec. 3.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_gsn import StochasticEncoder
    >>> from genframe_vae import Bernoulli
    >>> from genframe.testing import part
    >>> _ = torch.manual_seed(0)
    >>> data = Real((8,), 0, 1, 2)
    >>> encoder = StochasticEncoder(torch.nn.Linear(8, 16), data, features=Real((16,)), dim=4)
    >>> decoder = part(Bernoulli(), data=data, latent=Real((4,)))
    >>> likelihood, x = next(chain(encoder, decoder, torch.zeros(5, 8)))
    >>> likelihood.mean.shape, x.shape
    (torch.Size([5, 8]), torch.Size([5, 8]))
    """
    while True:
        likelihood = decoder.likelihood(encoder.encode_noisy(x, context, generator), context)
        x = likelihood.rsample(generator)
        yield likelihood, x


class ChainSampler(Sampler):
    """Chains of ``steps`` steps that start from decoded draws of the prior.

    A trajectory shows each state after the first ``burn_in``: the mean of p(x|z), or with ``draw="sample"`` the draw from it,
    from which the chain continues.

    >>> ChainSampler(steps=10, burn_in=5).steps
    10
    """

    def __init__(self, steps: int = 100, *, burn_in: int = 0, draw: Shown = "mean") -> None:
        self.steps, self.burn_in, self.shows_mean = steps, burn_in, draw == "mean"

    def trajectory(
        self, model: Model, n: int, context: Context | None = None, generator: Generator | None = None
    ) -> Iterator[State]:
        """Yield every state after the burn-in."""
        encoder, decoder = model.part("encoder", Corrupting), model.part("decoder", Likelihood)
        latent = model.latents(model.prior.sample(n, context, generator))
        start = decoder.likelihood(latent, context).rsample(generator)
        walk = chain(encoder, decoder, start, context, generator)
        for step, (likelihood, x) in zip(range(1, self.steps + 1), walk, strict=False):
            if step > self.burn_in:
                yield State(likelihood.mean if self.shows_mean else x, step, self.steps)
