"""Losses of autoencoders and variational autoencoders; all in nats or summed errors, averaged over the batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Batch, Context, Encoder, Loss, LossOutput, Model, Space, Spaces, Unsupported
from genframe.traits import Density, GaussianExpectation, Likelihood, Posterior, PosteriorDistribution

from .penalties import jacobian_penalty, sparsity_penalty

if TYPE_CHECKING:
    from .specs import Elbo, Iwae, Reconstruction

__all__ = ["ElboLoss", "IwaeLoss", "ReconstructionLoss"]

ERRORS: Final[dict[str, Callable[..., Tensor]]] = {
    "squared": F.mse_loss,
    "absolute": F.l1_loss,
    "cross_entropy": F.binary_cross_entropy,
}


class ElboLoss(Loss):
    """distortion + beta * rate."""

    def __init__(self, spec: Elbo, spaces: Spaces) -> None:
        super().__init__()
        self.beta, self.anneal_steps, self.samples = spec.beta, spec.anneal_steps, spec.samples
        self.free_nats = spec.free_bits * spaces.latent.dims
        self.reference = spec.reference.build(spaces) if spec.reference is not None else None
        self.step: Tensor
        self.register_buffer("step", torch.zeros((), dtype=torch.int64), persistent=spec.anneal_steps > 0)

    def _sum(self, distortion: Tensor, rate: Tensor) -> Tensor:
        """Return distortion + beta * rate, beta warmed up in training; counts the training batches."""
        if not (self.anneal_steps and self.training):
            return torch.add(distortion, rate, alpha=self.beta)
        beta = self.beta * (self.step / self.anneal_steps).clamp(max=1)
        self.step += 1
        return distortion + beta * rate

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the loss with its rate (KL) and distortion (negative log-likelihood) in nats."""
        x, context = batch.x, model.context(batch.condition)
        posterior = cast(Posterior, model.encoder).posterior(x, context).expand(self.samples)
        if self.samples > 1:
            x = x.repeat_interleave(self.samples, 0)
            context = None if context is None else context.repeat_interleave(self.samples)
        latent = posterior.rsample()
        distortion = -cast(Likelihood, model.decoder).likelihood(latent, context).log_prob(x).mean()
        rate = self._rate(model, posterior, latent, context).mean()
        charged = rate.clamp(min=self.free_nats) if self.free_nats else rate
        kept, lost = rate.detach(), distortion.detach()
        total = self._sum(distortion, charged)
        return LossOutput(total, {"elbo": -(lost + kept), "rate": kept, "distortion": lost})

    def _rate(self, model: Model, posterior: PosteriorDistribution, latent: Tensor, context: Context | None) -> Tensor:
        """Return KL(q(z|x) || p(z)) of each datum: in closed form, or its estimate log q(z) - log p(z) (B,)."""
        prior = model.prior if self.reference is None else self.reference
        if hasattr(prior, "expected_log_prob"):  # GaussianExpectation, whose isinstance costs 20 µs a step in Python 3.11
            expected = cast(GaussianExpectation, prior).expected_log_prob(posterior.mean, posterior.variance, context)
            return -(posterior.entropy() + expected)
        code = cast(Encoder, model.encoder).code(latent)
        return posterior.log_prob(latent) - cast(Density, prior).log_prob(code, context)


class IwaeLoss(Loss):
    """Minus the importance-weighted bound of k samples."""

    def __init__(self, spec: Iwae) -> None:
        super().__init__()
        self.samples = spec.samples

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the loss, and with it the bound of one sample."""
        log_weights = model.log_weights(batch.x, model.context(batch.condition), samples=self.samples)
        bound = (log_weights.logsumexp(0) - math.log(self.samples)).mean()
        return LossOutput(-bound, {"iwae": bound.detach(), "elbo": log_weights.detach().mean()})


class ReconstructionLoss(Loss):
    """The error of encoding and decoding, summed over dimensions, and penalties on the encoder."""

    def __init__(self, spec: Reconstruction, latent: Space) -> None:
        super().__init__()
        self.spec = spec
        self.latent = latent

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return error + penalties, each with its own metric before it is weighted."""
        if model.encoder is None:
            raise Unsupported("vae/reconstruction needs an encoder; compose the model with one")
        spec, encoder, context = self.spec, model.encoder, model.context(batch.condition)
        metrics = {}
        if spec.contractive:
            latent, squared = jacobian_penalty(lambda x: encoder.encode(x, context), batch.x, spec.probes)
            metrics["contraction"] = squared.mean()
        else:
            latent = encoder.encode(batch.x, context)
        if spec.sparsity:
            metrics["sparsity"] = sparsity_penalty(latent, self.latent, spec.target_rate)
        error = self._error(model.decoder.decode(latent, context), batch.x)
        total = error
        for name, weight in (("contraction", spec.contractive), ("sparsity", spec.sparsity)):
            total = total + weight * metrics[name] if weight else total
        metrics["error"] = error
        return LossOutput(total, {name: value.detach() for name, value in metrics.items()})

    def _error(self, decoded: Tensor, x: Tensor) -> Tensor:
        """Return the mean over the batch of the summed error."""
        return ERRORS[self.spec.error](decoded, x, reduction="sum") / len(x)
