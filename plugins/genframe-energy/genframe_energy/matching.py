"""Losses without a chain: score matching and noise-contrastive estimation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Batch, Loss, LossOutput, Model
from genframe.execution import eager
from genframe.traits import Energy

if TYPE_CHECKING:
    from .specs import NoiseContrastive, ScoreMatching

__all__ = ["NoiseContrastiveLoss", "ScoreMatchingLoss"]

LOG_2PI = math.log(2 * math.pi)


class ScoreMatchingLoss(Loss):
    """The distance of -grad E from the score of the data."""

    def __init__(self, spec: ScoreMatching) -> None:
        super().__init__()
        self.spec = spec

    @eager
    @torch.enable_grad()  # validation records no gradients, and the score is one
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return half the squared distance, up to a constant, averaged over the batch."""
        data, context = model.codes(batch.x, batch.condition), model.context(batch.condition)
        energy, noise = cast(Energy, model.prior), torch.randn_like(data)
        denoises = self.spec.method == "denoising"
        x = (data + self.spec.noise * noise if denoises else data).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(energy.energy(x, context).sum(), x, create_graph=True)
        if denoises:
            total = 0.5 * (noise - self.spec.noise * gradient).square().flatten(1).sum(1).mean()
        else:
            (curvature,) = torch.autograd.grad((gradient * noise).sum(), x, create_graph=True)
            total = (0.5 * gradient.square() - noise * curvature).flatten(1).sum(1).mean()
        return LossOutput(total)


class NoiseContrastiveLoss(Loss):
    """The cross-entropy of telling data from noise by log p(x) = -E(x) - log Z."""

    def __init__(self, spec: NoiseContrastive) -> None:
        super().__init__()
        self.spec = spec
        self.log_z = nn.Parameter(torch.zeros(()))

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the cross-entropy of a datum and its draws of noise, in nats, and the share that is told apart."""
        data, context, ratio = model.codes(batch.x, batch.condition), model.context(batch.condition), self.spec.ratio
        noise = self.spec.deviation * torch.randn(ratio * len(data), *data.shape[1:], device=data.device)
        contexts = None if context is None else context.repeat(1 + ratio)
        x = torch.cat((data, noise))
        logits = -cast(Energy, model.prior).energy(x, contexts) - self.log_z - self._log_noise(x) - math.log(ratio)
        of_data, of_noise = logits.split((len(data), len(noise)))
        total = F.softplus(-of_data).mean() + ratio * F.softplus(of_noise).mean()
        correct = 0.5 * ((of_data > 0).float().mean() + (of_noise < 0).float().mean())
        return LossOutput(total, {"log_z": self.log_z.detach().clone(), "accuracy": correct})

    def _log_noise(self, x: Tensor) -> Tensor:
        """Return the noise's log-density: (N, ...) -> (N,)."""
        flat = (x / self.spec.deviation).flatten(1)
        return -0.5 * (flat.square() + LOG_2PI).sum(1) - flat.shape[1] * math.log(self.spec.deviation)
