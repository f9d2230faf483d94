"""Reflow: straighter paths, between noise and where a teacher's flow leads from it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genframe import Batch, Model

from .losses import DenoisingLoss
from .teacher import Teacher
from .traits import Solver, process_of
from .walking import standard_bounds

__all__ = ["ReflowLoss"]


class ReflowLoss(DenoisingLoss):
    """The denoising loss of pairs of noise and what the teacher makes of it. Liu et al. 2023, sec. 2.2.

    :param walk: how the teacher goes from noise to data; it draws no noise.
    :param settings: the arguments of :class:`DenoisingLoss`.

    >>> from genframe_diffusion import GridPath, MultistepStep, WalkSampler
    >>> loss = ReflowLoss(WalkSampler(MultistepStep, GridPath(steps=20)), condition_dropout=0.0)
    >>> loss.teacher.weights
    tensor([])
    """

    def __init__(self, walk: Solver, **settings: Any) -> None:
        super().__init__(**settings)
        self.walk = walk
        self.teacher = Teacher()

    def begin(self, model: Model) -> None:
        """Take the decoder's weights as the teacher's."""
        self.teacher.take(model.decoder)

    def pairs(self, model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the teacher's data for the batch's conditions, and the noise that it led them from: (B, ...), (B, ...)."""
        process, context = process_of(model), model.context(batch.condition)
        with self.teacher.in_place_of(model.decoder):
            code = model.prior.sample(len(batch.x), context)
            clean = self.walk.solve(model.decoder, code, process, context, bounds=standard_bounds(model))
            alpha, sigma = process.alpha_sigma(torch.ones(1, device=code.device))
            return clean, (model.latents(code) - alpha * clean) / sigma
