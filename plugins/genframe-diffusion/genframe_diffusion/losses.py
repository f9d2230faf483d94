"""The denoising loss."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from genframe import Batch, Context, Loss, LossOutput, Model

from .choices import Objective, Pairing
from .denoiser import spread
from .pairing import optimal_pairs
from .times import Times
from .traits import Preconditioned, preconditioned, process_of
from .weighting import Weighting

__all__ = ["DenoisingLoss", "sliced_error"]

UNIFORM: Final = Times()
SIMPLE: Final = Weighting()


class DenoisingLoss(Loss):
    """The squared error of predicted data at random times, weighted, averaged over dimensions and the batch.

    :param weighting: how errors at different noise are weighed.
    :param times: the distribution of the times.
    :param objective: where the error comes from: ``denoising`` compares with clean data, ``sliced`` estimates it from noisy
        data alone (:func:`sliced_error`).
    :param condition_dropout: share of contexts left out in training, so that sampling can be guided (Ho & Salimans 2021).
    :param pairing: noise drawn for each example, or assigned within the batch at the least squared distance.

    The loss of plain tensors, here of a network that predicts no noise at all:

    >>> from genframe_diffusion import CosineVP, DenoisingDecoder
    >>> class Zero(torch.nn.Module):
    ...     def forward(self, x, time):
    ...         return torch.zeros_like(x)
    >>> _ = torch.manual_seed(0)
    >>> decoder = DenoisingDecoder(Zero(), CosineVP(), prediction="noise")
    >>> round(float(DenoisingLoss().on(decoder, torch.randn(4000, 2)).total), 1)
    1.0
    """

    def __init__(
        self,
        weighting: Weighting = SIMPLE,
        times: Times = UNIFORM,
        *,
        objective: Objective = "denoising",
        condition_dropout: float = 0.1,
        pairing: Pairing = "independent",
    ) -> None:
        super().__init__()
        self.weighting, self.times, self.objective = weighting, times, objective
        self.condition_dropout, self.pairing = condition_dropout, pairing

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted error; ``error`` is that of standardised data at even weights."""
        clean, noise = self.pairs(model, batch)
        time = self.times.draw(process_of(model), clean.shape[0], clean.device)
        return self._cost(preconditioned(model), clean, noise, time, model.context(batch.condition))

    def on(self, decoder: Preconditioned, x: Tensor, context: Context | None = None) -> LossOutput:
        """Return the loss of a decoder on data and their contexts, without a model: (B, ...)."""
        clean, noise = self._noise_for(decoder.process.standardise(x))
        return self._cost(decoder, clean, noise, self.times.draw(decoder.process, x.shape[0], x.device), context)

    def pairs(self, model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return standardised data and the noise that is mixed with them: (B, ...), (B, ...)."""
        return self._noise_for(process_of(model).standardise(batch.x))

    def _noise_for(self, clean: Tensor) -> tuple[Tensor, Tensor]:
        noise = torch.randn_like(clean)
        return clean, optimal_pairs(clean, noise) if self.pairing == "optimal" else noise

    def _cost(self, decoder: Preconditioned, clean: Tensor, noise: Tensor, time: Tensor, context: Context | None) -> LossOutput:
        alpha, sigma = decoder.process.alpha_sigma(time)
        noisy = spread(alpha, clean) * clean + spread(sigma, clean) * noise
        context = self._thinned(context, decoder)
        skip, out, scale = decoder.coefficients(alpha, sigma)
        if self.objective == "sliced":
            error = sliced_error(decoder, noisy, time, context) / out.square()
        else:
            target = (clean - spread(skip, clean) * noisy) / spread(out, clean)
            error = (decoder.predict(noisy, time, scale, context) - target).float().square().flatten(1).mean(1)
        weight = self.weighting(decoder.process, alpha, sigma, out)
        total = (error if weight is None else weight * error).mean()
        return LossOutput(total, {"error": (out.square() * error.detach()).mean()})

    def _thinned(self, context: Context | None, decoder: Preconditioned) -> Context | None:
        """Return the context, left out for a random share of the batch in training."""
        if context is None or not self.condition_dropout or not self.training:
            return context
        left_out = torch.rand(len(context), device=context.device) < self.condition_dropout
        nothing = context.nothing if context.nothing is not None else decoder.null_context(len(context))
        return context if nothing is None else context.where(~left_out, nothing)


def sliced_error(decoder: Preconditioned, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
    """Return an unbiased estimate of the squared error of predicted data per dimension, from noisy data alone: (B,).

    With the score s = (alpha D - y) / sigma² it is (sigma² / alpha)² (|s|² + 2 vᵀ (ds/dy) v) / dims, v random signs, plus
    sigma² / alpha², without which it would be the error less a constant. Song et al. 2019, eq. 8; Stein 1981.
    """
    alpha, sigma = decoder.process.alpha_sigma(time)
    learning = torch.is_grad_enabled()
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
        noisy = noisy.detach().requires_grad_()
        clean = decoder.denoise(noisy, time, context)
        signs = torch.where(torch.rand_like(noisy) < 0.5, -1.0, 1.0)
        (product,) = torch.autograd.grad((clean * signs).sum(), noisy, create_graph=learning)
    gap = (clean - noisy / spread(alpha, noisy)).float().square().flatten(1).mean(1)
    divergence = (product * signs).float().flatten(1).mean(1)
    return gap + 2 * (sigma.square() / alpha) * divergence - (sigma / alpha).square()
