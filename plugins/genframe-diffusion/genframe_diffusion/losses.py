"""The denoising loss."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from genframe import Batch, Context, Loss, LossOutput, Model
from genframe.traits import NoiseProcess

from .denoiser import DenoisingDecoder, spread
from .pairing import optimal_pairs
from .specs.losses import Denoising
from .times import drawn_times, log_snr_range

__all__ = ["DenoisingLoss", "sliced_error"]


class DenoisingLoss(Loss):
    """The weighted squared error of what the network predicts."""

    def __init__(self, spec: Denoising) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the weighted error; ``error`` is that of standardised data at even weights."""
        process, decoder = cast(NoiseProcess, model.encoder), cast(DenoisingDecoder, model.decoder)
        clean, noise = self.pairs(model, batch)
        time = drawn_times(self.spec, process, len(clean), clean.device)
        alpha, sigma = process.alpha_sigma(time)
        noisy = spread(alpha, clean) * clean + spread(sigma, clean) * noise
        context = self._context(model, batch, decoder)
        skip, out, scale = decoder.coefficients(time)
        if self.spec.objective == "sliced":
            error = sliced_error(decoder, noisy, time, context) / out.square()
        else:
            target = (clean - spread(skip, clean) * noisy) / spread(out, clean)
            error = (decoder.predict(noisy, time, scale, context) - target).float().square().flatten(1).mean(1)
        total = (self._weight(process, alpha, sigma, out) * error).mean()
        return LossOutput(total, {"error": (out.square() * error).mean().detach()})

    def pairs(self, model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return standardised data, and the noise between which and them noisy data lie: (B, ...), (B, ...)."""
        clean = cast(NoiseProcess, model.encoder).standardise(batch.x)
        noise = torch.randn_like(clean)
        return clean, optimal_pairs(clean, noise) if self.spec.pairing == "optimal" else noise

    def _context(self, model: Model, batch: Batch, decoder: DenoisingDecoder) -> Context | None:
        """Return the encoded condition, left out for a random share of the batch in training."""
        context = model.context(batch.condition)
        if context is None or not self.spec.condition_dropout or not self.training:
            return context
        left_out = torch.rand(len(context), device=context.device) < self.spec.condition_dropout
        nothing = context.nothing if context.nothing is not None else decoder.null_context(len(context))
        return context.where(~left_out, cast(Context, nothing))

    def _weight(self, process: NoiseProcess, alpha: Tensor, sigma: Tensor, out: Tensor) -> Tensor:
        """Return the weight on the error of the network's prediction, which is the error of clean data over ``out``²."""
        spec = self.spec
        if spec.weighting == "simple":
            return torch.ones_like(out)
        snr = (alpha / sigma).square()
        match spec.weighting:
            case "min_snr":
                weight = snr.clamp(max=spec.gamma)
            case "edm":
                weight = snr + process.data_deviation**-2
            case "sigmoid":
                weight = snr * torch.sigmoid(spec.bias - torch.log(snr))
            case "likelihood":
                low, high = log_snr_range(process)
                weight = 0.5 * (high - low) * snr
        return weight * out.square()


def sliced_error(decoder: DenoisingDecoder, noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
    """Return what the squared error of predicted data, a dimension, is in expectation, from noisy data alone: (B,).

    With the score s = (alpha D - y) / sigma² it is (sigma² / alpha)² (|s|² + 2 vᵀ (ds/dy) v) / dims, v random signs, and
    sigma² / alpha² more, which makes it the error and not a constant less. Song et al. 2019, eq. 8; Stein 1981.
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
