"""Losses of autoencoders and variational autoencoders, averaged over the batch, in nats or summed errors.

Each loss has ``terms``, which is the loss over plain tensors or functions, without a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Batch, Context, Encoder, Loss, LossOutput, Model, Space, Unsupported
from genframe.types import Density, Likelihood, Posterior, PosteriorDistribution

from .choices import ReconstructionError
from .penalties import jacobian_penalty, sparsity_penalty

__all__ = ["ElboLoss", "IwaeLoss", "ReconstructionLoss", "rate"]

ERRORS: Final[dict[ReconstructionError, Callable[..., Tensor]]] = {
    "squared": F.mse_loss,
    "absolute": F.l1_loss,
    "cross_entropy": F.binary_cross_entropy,
}


def rate(
    posterior: PosteriorDistribution, prior: Density, latent: Tensor, code: Tensor, context: Context | None = None
) -> Tensor:
    """Return KL(q(z|x) || p(z)) in nats: in closed form where the prior has GaussianExpectation, else its estimate (B,).

    :param latent: a draw from each posterior (B, latent), and its ``code`` (B, code): the estimate is log q(z) - log p(z).

    >>> posterior = DiagonalNormal(torch.ones(2, 3), torch.zeros(2, 3))  # N(1, 1) in three dimensions
    >>> rate(posterior, StandardNormal(Real((3,))), posterior.mean, posterior.mean)
    tensor([1.5000, 1.5000])
    """
    expected_log_prob = getattr(prior, "expected_log_prob", None)  # isinstance would cost 20 µs a step in Python 3.11
    if expected_log_prob is None:
        return posterior.log_prob(latent) - prior.log_prob(code, context)
    divergence: Tensor = -(posterior.entropy() + expected_log_prob(posterior.mean, posterior.variance, context))
    return divergence


class ElboLoss(Loss):
    """Minus the evidence lower bound, distortion + beta * rate. Kingma & Welling 2013, eq. 3; Higgins et al. 2017, eq. 4.

    :param beta: weight of the rate.
    :param anneal_steps: training batches over which beta rises linearly from 0.
    :param free_nats: the batch's mean rate is charged as at least this. Kingma et al. 2016, eq. 15.
    :param samples: latents drawn for each example.
    :param reference: the prior that the rate is measured from; ``None`` is the model's own.

    >>> loss = ElboLoss(beta=2.0)
    >>> loss.terms(distortion=torch.tensor([3.0, 5.0]), rate=torch.tensor([1.0, 2.0])).total
    tensor(7.)
    """

    step: Tensor

    def __init__(
        self,
        beta: float = 1.0,
        *,
        anneal_steps: int = 0,
        free_nats: float = 0.0,
        samples: int = 1,
        reference: Density | None = None,
    ) -> None:
        super().__init__()
        self.beta, self.anneal_steps, self.free_nats, self.samples = beta, anneal_steps, free_nats, samples
        self.reference = reference
        self.register_buffer("step", torch.zeros((), dtype=torch.int64), persistent=anneal_steps > 0)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the loss with its rate (KL) and distortion (negative log-likelihood) in nats."""
        x, context = batch.x, model.context(batch.condition)
        posterior = model.part("encoder", Posterior).posterior(x, context).expand(self.samples)
        if self.samples > 1:
            x = x.repeat_interleave(self.samples, 0)
            context = None if context is None else context.repeat_interleave(self.samples)
        latent = posterior.rsample()
        distortion = -model.part("decoder", Likelihood).likelihood(latent, context).log_prob(x)
        prior = model.part("prior", Density) if self.reference is None else self.reference
        code = model.part("encoder", Encoder).code(latent)
        return self.terms(distortion, rate(posterior, prior, latent, code, context))

    def terms(self, distortion: Tensor, rate: Tensor) -> LossOutput:
        """Return the loss of a distortion and a rate in nats, (B,) each; training counts the batches that beta rises over.

        The metrics are the two as they are, and their bound, whatever ``beta`` and ``free_nats`` make of them.
        """
        distortion, rate = distortion.mean(), rate.mean()
        charged = rate.clamp(min=self.free_nats) if self.free_nats else rate
        kept, lost = rate.detach(), distortion.detach()
        return LossOutput(self._sum(distortion, charged), {"elbo": -(lost + kept), "rate": kept, "distortion": lost})

    def _sum(self, distortion: Tensor, rate: Tensor) -> Tensor:
        """Return distortion + beta * rate, beta warmed up in training; counts the training batches."""
        if not (self.anneal_steps and self.training):
            return torch.add(distortion, rate, alpha=self.beta)
        beta = self.beta * (self.step / self.anneal_steps).clamp(max=1)
        self.step += 1
        return distortion + beta * rate


class IwaeLoss(Loss):
    """Minus the importance-weighted bound of several samples. Burda et al. 2015, eq. 8.

    :param samples: latents drawn for each example.

    >>> IwaeLoss().terms(torch.tensor([[0.0, 0.0], [-1.0, 1.0]])).total  # log-weights of 2 samples of 2 examples
    tensor(-0.1201)
    """

    def __init__(self, samples: int = 50) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the loss, and with it the bound of one sample, in nats."""
        return self.terms(model.log_weights(batch.x, model.context(batch.condition), samples=self.samples))

    def terms(self, log_weights: Tensor) -> LossOutput:
        """Return the loss of the log-weights log p(x|z) + log p(z) - log q(z|x) of draws of z: (samples, B) nats."""
        bound = (log_weights.logsumexp(0) - math.log(len(log_weights))).mean()
        return LossOutput(-bound, {"iwae": bound.detach(), "elbo": log_weights.detach().mean()})


class ReconstructionLoss(Loss):
    """The error of encoding and decoding, summed over dimensions, and penalties. Hinton & Salakhutdinov 2006.

    :param sparsity: weight of :func:`genframe_vae.sparsity_penalty`, with ``target_rate`` for a target.
    :param contractive: weight of :func:`genframe_vae.jacobian_penalty`, exact or by so many random ``probes``.
    :param latent: the space of the latents: where it is bounded to [0, 1] they are rates, else their sigmoids are.

    >>> _ = torch.manual_seed(0)
    >>> encode, decode = nn.Linear(16, 4), nn.Linear(4, 16)
    >>> output = ReconstructionLoss("squared", sparsity=0.1).terms(encode, decode, torch.rand(5, 16))
    >>> sorted(output.metrics)
    ['error', 'sparsity']
    """

    def __init__(
        self,
        error: ReconstructionError = "squared",
        *,
        sparsity: float = 0.0,
        target_rate: float | None = None,
        contractive: float = 0.0,
        probes: int = 0,
        latent: Space | None = None,
    ) -> None:
        super().__init__()
        self.error, self.latent = ERRORS[error], latent
        self.sparsity, self.target_rate, self.contractive, self.probes = sparsity, target_rate, contractive, probes

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return error + penalties, each with its own metric before it is weighted.

        :raises Unsupported: if the model has no encoder.
        """
        if model.encoder is None:
            raise Unsupported("a reconstruction needs an encoder; compose the model with one")
        encoder, decoder, context = model.encoder, model.decoder, model.context(batch.condition)
        return self.terms(lambda x: encoder.encode(x, context), lambda latent: decoder.decode(latent, context), batch.x)

    def terms(self, encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor], x: Tensor) -> LossOutput:
        """Return the loss of any two functions, data to latents and back, on a batch: (B, data)."""
        metrics = {}
        if self.contractive:
            latent, squared = jacobian_penalty(encode, x, self.probes)
            metrics["contraction"] = squared.mean()
        else:
            latent = encode(x)
        if self.sparsity:
            metrics["sparsity"] = sparsity_penalty(latent, self.latent, self.target_rate)
        error = self.error(decode(latent), x, reduction="sum") / len(x)
        total = error
        for name, weight in (("contraction", self.contractive), ("sparsity", self.sparsity)):
            total = total + weight * metrics[name] if weight else total
        metrics["error"] = error
        return LossOutput(total, {name: value.detach() for name, value in metrics.items()})
