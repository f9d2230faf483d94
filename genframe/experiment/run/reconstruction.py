"""Reconstructions of held-out data: encoded and decoded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...model.evaluation import evaluating
from ...roles.random import fork_rng, generator_for
from ...training.reading import Data
from ...types.spaces import Real, Space
from ...types.trait.encoders import Identity, NoiseProcess
from .run import Run

__all__ = ["Reconstruction", "reconstruct", "reconstructs"]


@dataclass(frozen=True)
class Reconstruction:
    """Data ``x`` (n, data) of a split, and what is left of them, ``y`` (n, data); the error is averaged over data."""

    x: Tensor
    y: Tensor
    split: str
    error_name: str
    error: float


def reconstructs(run: Run) -> bool:
    """Return whether the model has a latent from which a datum's reconstruction says something of the model."""
    composition = run.model.composition
    plain = composition.has("encoder", Identity) or composition.has("encoder", NoiseProcess)
    return composition.spec.encoder is not None and not plain


def reconstruct(run: Run, n: int, split: str | None = None, *, data: Data = None) -> Reconstruction:
    """Encode and decode the first ``n`` data of a split, that of the experiment's evaluation if left out.

    :raises DataError: if the data or the split are missing, or have changed since training.
    :raises Unsupported: if the model has no encoder.
    """
    spec, device = run.experiment, run.model.device
    held_out = run.dataset(data).split(split or spec.evaluate.split).to(device)
    batch = held_out.batch(slice(0, n), generator_for(device, spec.evaluate.seed))
    with evaluating(run.model), fork_rng(device, spec.evaluate.seed):
        y = run.model.reconstruct(batch.x, batch.condition)
    name, error = _error(batch.x, y, run.model.composition.data)
    return Reconstruction(batch.x, y, held_out.name, name, error)


def _error(x: Tensor, y: Tensor, space: Space) -> tuple[str, float]:
    """Return what is compared, and its mean over the batch (B, data)."""
    if isinstance(space, Real):
        return "squared error", float((x - y).square().flatten(1).sum(1).mean())
    return "wrong values", float(torch.ne(x, y).flatten(1).float().mean())
