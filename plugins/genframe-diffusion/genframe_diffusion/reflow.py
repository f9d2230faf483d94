"""Reflow: straighter paths, between noise and where a teacher's flow leads from it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from genframe import Batch, Model

from .losses import DenoisingLoss
from .processes import NoisingProcess
from .specs.few_steps import Reflow
from .specs.samplers import Walk
from .teacher import Teacher
from .walking import WalkSampler

__all__ = ["ReflowLoss"]


class ReflowLoss(DenoisingLoss):
    """The denoising loss of pairs of noise and what the teacher makes of it."""

    def __init__(self, spec: Reflow) -> None:
        super().__init__(spec)
        self.sampler = WalkSampler(cast(Walk, spec.walk))
        self.teacher = Teacher()

    def begin(self, model: Model) -> None:
        """Take the decoder's weights as the teacher's."""
        self.teacher.take(model.decoder)

    def pairs(self, model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the teacher's data for the batch's conditions, and the noise that it led them from: (B, ...), (B, ...)."""
        process, context = cast(NoisingProcess, model.encoder), model.context(batch.condition)
        with self.teacher.in_place_of(model.decoder):
            latent = model.latents(model.prior.sample(len(batch.x), context))
            path = self.sampler.spec.path(process)
            for clean in self.sampler.walk(model, latent, path, context):  # noqa: B007 - only the last is wanted
                pass
            alpha, sigma = process.alpha_sigma(torch.ones(1, device=latent.device))
            return clean, (latent - alpha * clean) / sigma
