"""Walkback training."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from genframe import Batch, Loss, LossOutput, Model
from genframe.traits import Likelihood

from .traits import Corrupting

if TYPE_CHECKING:
    from .specs import Walkback

__all__ = ["WalkbackLoss"]


class WalkbackLoss(Loss):
    """The mean negative log-likelihood of data at each step of the chain that leaves them."""

    def __init__(self, spec: Walkback) -> None:
        super().__init__()
        self.steps = spec.steps

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the mean over steps in nats, with the first and the last step's."""
        encoder, decoder = cast(Corrupting, model.encoder), cast(Likelihood, model.decoder)
        x, context = batch.x, model.context(batch.condition)
        likelihood = decoder.likelihood(encoder.encode_noisy(x, context), context)
        errors = [-likelihood.log_prob(x).mean()]
        while len(errors) < self.steps:
            with torch.no_grad():
                state = likelihood.rsample()
            likelihood = decoder.likelihood(encoder.encode_noisy(state, context), context)
            errors.append(-likelihood.log_prob(x).mean())
        return LossOutput(torch.stack(errors).mean(), {"first_step": errors[0].detach(), "last_step": errors[-1].detach()})
