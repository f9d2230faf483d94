"""Walkback training."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe import Batch, Context, Loss, LossOutput, Model
from genframe.types import Likelihood

from .traits import Corrupting

__all__ = ["WalkbackLoss"]


class WalkbackLoss(Loss):
    """The mean negative log-likelihood of data at each of ``steps`` steps of the chain that leaves them. Bengio et al. 2013.

    >>> import torch
    >>> from genframe import Real
    >>> from genframe_gsn import StochasticEncoder
    >>> from genframe_vae import Bernoulli
    >>> from genframe.testing import part
    >>> _ = torch.manual_seed(0)
    >>> data, x = Real((8,), 0, 1, 2), torch.rand(5, 8).round()
    >>> encoder = StochasticEncoder(torch.nn.Linear(8, 16), data, features=Real((16,)), dim=4)
    >>> decoder = part(Bernoulli(), data=data, latent=Real((4,)))
    >>> sorted(WalkbackLoss(steps=3).terms(encoder, decoder, x).metrics)
    ['first_step', 'last_step']
    """

    def __init__(self, steps: int = 5) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the terms of the model's encoder and decoder."""
        encoder, decoder = model.part("encoder", Corrupting), model.part("decoder", Likelihood)
        return self.terms(encoder, decoder, batch.x, model.context(batch.condition))

    def terms(self, encoder: Corrupting, decoder: Likelihood, x: Tensor, context: Context | None = None) -> LossOutput:
        """Return the mean over steps in nats, of data (B, ...), with the first and the last step's."""
        likelihood = decoder.likelihood(encoder.encode_noisy(x, context), context)
        errors = [-likelihood.log_prob(x).mean()]
        while len(errors) < self.steps:
            with torch.no_grad():
                state = likelihood.rsample()
            likelihood = decoder.likelihood(encoder.encode_noisy(state, context), context)
            errors.append(-likelihood.log_prob(x).mean())
        return LossOutput(torch.stack(errors).mean(), {"first_step": errors[0].detach(), "last_step": errors[-1].detach()})
