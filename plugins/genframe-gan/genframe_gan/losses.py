"""Adversarial losses: on data, on latents, on pairs of both."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from genframe import Batch, Context, ContextSpace, Encoder, Model, Real, drawn_latent

from .augmentation import AUGMENTATIONS
from .game import Evidence, GameLoss
from .specs import Adversarial, Bidirectional, LatentAdversarial

__all__ = ["AdversarialLoss", "BidirectionalLoss", "LatentAdversarialLoss"]


class AdversarialLoss(GameLoss):
    """Data against decoded draws of the prior, or against reconstructions."""

    def __init__(self, spec: Adversarial, data: Real, context: ContextSpace | None) -> None:
        super().__init__(spec, data, context.vector if context is not None else None, reads=spec.conditioning == "input")
        self.augmentations = tuple(AUGMENTATIONS[name] for name in spec.augment)
        self.reconstructs = spec.fakes == "reconstructions"

    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return the data."""
        return Evidence(batch.x, _vector(context))

    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return as many decoded latents."""
        if self.reconstructs:
            latent = drawn_latent(cast(Encoder, model.encoder), batch.x, context)
        else:
            latent = model.latents(model.prior.sample(len(batch.x), context))
        return Evidence(model.decoder.decode(latent, context), _vector(context))


class LatentAdversarialLoss(GameLoss):
    """Draws of the prior against latents of data."""

    prefix = "latent_"

    def __init__(self, spec: LatentAdversarial, latent: Real) -> None:
        super().__init__(spec, latent, None, reads=False)

    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return latents of draws."""
        return Evidence(model.latents(model.prior.sample(len(batch.x), context)))

    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return latents of data."""
        return Evidence(drawn_latent(cast(Encoder, model.encoder), batch.x, context))


class BidirectionalLoss(GameLoss):
    """Data with their latents against decoded draws with theirs."""

    prefix = "pair_"
    joint = True

    def __init__(self, spec: Bidirectional, data: Real, beside: Real) -> None:
        super().__init__(spec, data, beside, reads=True)

    def real(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return the data, and their latents."""
        return Evidence(batch.x, _beside(drawn_latent(cast(Encoder, model.encoder), batch.x, context), context))

    def fake(self, model: Model, batch: Batch, context: Context | None) -> Evidence:
        """Return decoded draws, and the latents they are of."""
        latent = model.latents(model.prior.sample(len(batch.x), context))
        return Evidence(model.decoder.decode(latent, context), _beside(latent, context))


def _beside(latent: Tensor, context: Context | None) -> Tensor:
    """Return what a critic of pairs reads beside the datum: (B, latent), (B, context) -> (B, D)."""
    vector = _vector(context)
    return latent.flatten(1) if vector is None else torch.cat((latent.flatten(1), vector.flatten(1)), 1)


def _vector(context: Context | None) -> Tensor | None:
    """Return the context's vector without its graph: a critic judges beside it and does not teach it."""
    return context.vector.detach() if context is not None and context.vector is not None else None
