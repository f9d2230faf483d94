"""Losses without a chain: score matching and noise-contrastive estimation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Batch, Loss, LossOutput, Model
from genframe.roles import eager
from genframe.types import Energy

from .chains import energy_given
from .dynamics import EnergyFunction
from .traits import Matching

__all__ = ["NoiseContrastiveLoss", "ScoreMatchingLoss", "denoising_score_matching", "sliced_score_matching"]

LOG_2PI = math.log(2 * math.pi)


@torch.enable_grad()  # validation records no gradients, and the score is one
def denoising_score_matching(energy: EnergyFunction, data: Tensor, deviation: float = 0.1) -> Tensor:
    """Return half the squared distance of -grad E from the score of noisy data, times deviation². Vincent 2011, sec. 4.2.

    The data (B, ...) get normal noise of ``deviation``; the result is averaged over the batch.

    >>> _ = torch.manual_seed(0)
    >>> denoising_score_matching(lambda x: 0.5 * x.square().sum(1), torch.randn(8, 2)).shape
    torch.Size([])
    """
    noise = torch.randn_like(data)
    x = (data + deviation * noise).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    return 0.5 * (noise - deviation * gradient).square().flatten(1).sum(1).mean()


@torch.enable_grad()
def sliced_score_matching(energy: EnergyFunction, data: Tensor) -> Tensor:
    """Return Hyvärinen's objective of data (B, ...) in one random direction each, averaged. Song et al. 2019, eq. 8.

    >>> _ = torch.manual_seed(0)
    >>> sliced_score_matching(lambda x: 0.5 * x.square().sum(1), torch.randn(8, 2)).shape
    torch.Size([])
    """
    noise = torch.randn_like(data)
    x = data.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad((gradient * noise).sum(), x, create_graph=True)
    return (0.5 * gradient.square() - noise * curvature).flatten(1).sum(1).mean()


class ScoreMatchingLoss(Loss):
    """The distance of -grad E from the score of the data, up to a constant. Hyvärinen 2005.

    ``noise`` is the standard deviation of the noise of ``denoising``.

    >>> ScoreMatchingLoss("denoising", noise=0.2).noise
    0.2
    """

    def __init__(self, method: Matching = "denoising", *, noise: float = 0.1) -> None:
        super().__init__()
        self.denoises, self.noise = method == "denoising", noise

    @eager
    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return half the squared distance, up to a constant, averaged over the batch."""
        data, context = model.codes(batch.x, batch.condition), model.context(batch.condition)
        energy = energy_given(model.part("prior", Energy), context)
        total = denoising_score_matching(energy, data, self.noise) if self.denoises else sliced_score_matching(energy, data)
        return LossOutput(total)


class NoiseContrastiveLoss(Loss):
    """The cross-entropy of telling data from noise by log p(x) = -E(x) - log Z. Gutmann & Hyvärinen 2012, sec. 2.

    There are ``ratio`` draws of noise N(0, deviation² I) for each example. log Z is a parameter.

    >>> _ = torch.manual_seed(0)
    >>> loss = NoiseContrastiveLoss(ratio=2)
    >>> output = loss.terms(lambda x: 0.5 * x.square().sum(1), torch.randn(8, 2))
    >>> output.total.shape, sorted(output.metrics)
    (torch.Size([]), ['accuracy', 'log_z'])
    """

    def __init__(self, ratio: int = 1, *, deviation: float = 1.0) -> None:
        super().__init__()
        self.ratio, self.deviation = ratio, deviation
        self.log_z = nn.Parameter(torch.zeros(()))

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the terms of the model's energy."""
        data, context = model.codes(batch.x, batch.condition), model.context(batch.condition)
        contexts = None if context is None else context.repeat(1 + self.ratio)
        return self.terms(energy_given(model.part("prior", Energy), contexts), data)

    def terms(self, energy: EnergyFunction, data: Tensor) -> LossOutput:
        """Return the cross-entropy of an example and its noise in nats, and the share that is classified correctly.

        :param energy: is asked once, for the data (B, ...) and then ``ratio`` times as many draws of noise.
        """
        noise = self.deviation * torch.randn(self.ratio * len(data), *data.shape[1:], device=data.device)
        x = torch.cat((data, noise))
        logits = -energy(x) - self.log_z - self._log_noise(x) - math.log(self.ratio)
        of_data, of_noise = logits.split((len(data), len(noise)))
        total = F.softplus(-of_data).mean() + self.ratio * F.softplus(of_noise).mean()
        correct = 0.5 * ((of_data > 0).float().mean() + (of_noise < 0).float().mean())
        return LossOutput(total, {"log_z": self.log_z.detach().clone(), "accuracy": correct})

    def _log_noise(self, x: Tensor) -> Tensor:
        """Return the noise's log-density in nats: (N, ...) -> (N,)."""
        flat = (x / self.deviation).flatten(1)
        return -0.5 * (flat.square() + LOG_2PI).sum(1) - flat.shape[1] * math.log(self.deviation)
