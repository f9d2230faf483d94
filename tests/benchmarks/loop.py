"""The loop's fixed cost: a network so small that only the loop counts, beside loops written by hand."""

from __future__ import annotations

import math
import time
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genframe import Batch, Encoder, Loss, LossOutput, LossSpec, Model, Real, Spaces
from genframe.training.settings import TrainSpec

from . import setup
from .pairs import compare

STEPS, WARMUP, BATCH, RATE, CLIP, DECAY = 1000, 10, 16, 1e-3, 1.0, 0.99
SPACE = Real((64,))


class MeanError(LossSpec):
    """The plainest loss: mean squared error."""

    type: Literal["bench/mean_error"] = "bench/mean_error"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return MeanErrorLoss()


class MeanErrorLoss(Loss):
    """Mean squared error."""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return it."""
        error = (model.decoder.decode(model.encoder.encode(batch.x)) - batch.x).square().mean()  # type: ignore[union-attr]
        return LossOutput(error, {"error": error.detach()})


def network() -> nn.Sequential:
    """Return the same layers as the model's."""
    return nn.Sequential(nn.Linear(64, 8), nn.SiLU(), nn.Linear(8, 2), nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 64))


def bare(net: nn.Sequential, x: Tensor) -> float:
    """Train by hand with nothing but the optimizer."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, fused=True, weight_decay=0.0)
    start = time.perf_counter()
    for indices in order(x):
        batch = x[indices]
        optimizer.zero_grad()
        (net(batch) - batch).square().mean().backward()
        optimizer.step()
    return (time.perf_counter() - start) / STEPS


def featured(net: nn.Sequential, x: Tensor) -> float:
    """Train by hand with clipping, weight average, schedule and logging, as genframe does."""
    parameters = list(net.parameters())
    average = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=True, weight_decay=0.0)
    losses: list[float] = []
    norms: list[float] = []
    start = time.perf_counter()
    for step, indices in enumerate(order(x)):
        batch = x[indices]
        optimizer.zero_grad()
        loss = (net(batch) - batch).square().mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, CLIP)
        rise = (step + 1) / WARMUP
        rate = RATE * (rise if step < WARMUP else 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        torch._foreach_lerp_(average, parameters, 1 - DECAY)
        losses.append(loss.item())
        norms.append(norm.item())
        if (step + 1) % 100 == 0:
            _ = {"loss": math.fsum(losses) / 100, "gradient_norm": math.fsum(norms) / 100}
            losses, norms = [], []
    return (time.perf_counter() - start) / STEPS


def order(x: Tensor) -> list[Tensor]:
    """Return STEPS batches of indices, an epoch's worth from each permutation."""
    batches: list[Tensor] = []
    while len(batches) < STEPS:
        batches += torch.randperm(len(x)).split(BATCH)[: len(x) // BATCH]
    return batches[:STEPS]


def measure() -> dict[str, Any]:
    """Alternate the three loops."""
    x = torch.rand(4096, 64)
    spec = TrainSpec(
        steps=STEPS,
        batch_size=BATCH,
        lr=RATE,
        schedule="cosine",
        warmup=WARMUP,
        clip=CLIP,
        ema=DECAY,
        log_every=100,
        device="cpu",
    )
    plain = {"encoder": {"type": "nets/mlp", "hidden": [8], "dim": 2}, "decoder": {"type": "nets/mlp", "hidden": [8]}}
    composed = setup.model({**plain, "loss": MeanError()}, SPACE)
    data = setup.dataset(SPACE, x)
    return compare(
        {
            "genframe": setup.Framework(spec, composed, data).seconds,
            "by hand, same features": lambda: featured(network(), x),
            "by hand, bare": lambda: bare(network(), x),
        },
        "by hand, same features",
    )
