"""Adversarial training by genframe and by hand: a DCGAN of 28×28 images, and perceptrons so small that only the loop counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Real
from genframe.training.settings import TrainSpec

from . import setup
from .pairs import compare

RATE, BETAS, PAIRS = 2e-4, (0.5, 0.999), 25
IMAGE, CODE, BATCH, STEPS = Real((1, 28, 28), 0, 1), 64, 64, 3
VECTOR, SMALL_BATCH, SMALL_STEPS = Real((2,)), 16, 400
DCGAN = {
    "decoder": {"type": "nets/conv", "channels": [32, 64], "norm": "batch", "activation": "relu"},
    "critic": {
        "type": "nets/conv",
        "channels": [32, 64],
        "norm": "batch",
        "norm_first": False,
        "kernel": 5,
        "activation": "leaky_relu_0.2",
        "dim": 1,
    },
}
SMALL = {
    "decoder": {"type": "nets/mlp", "hidden": [8], "activation": "relu"},
    "critic": {"type": "nets/mlp", "hidden": [8], "activation": "leaky_relu_0.2", "dim": 1},
}


@dataclass(frozen=True)
class Pair:
    """A generator and a critic of the same layers as the model's."""

    generator: nn.Sequential
    critic: nn.Sequential
    code: int

    def seconds(self, x: Tensor, batch: int, steps: int, *, reuse: bool = False) -> float:
        """Train by the non-saturating game, with the losses and mean scores read at each step; return a step's seconds.

        Either player draws codes of its own (Goodfellow et al. 2014, algorithm 1), or the generator is given the critic's
        fakes once more.
        """
        optimizers = {
            net: torch.optim.AdamW(net.parameters(), lr=RATE, betas=BETAS, fused=True, weight_decay=0.0)
            for net in (self.critic, self.generator)
        }
        batches = torch.randperm(len(x)).split(batch)[: len(x) // batch]
        start = time.perf_counter()
        for step in range(steps):
            real = x[batches[step % len(batches)]]
            optimizers[self.critic].zero_grad()
            with torch.set_grad_enabled(reuse):
                fake = self.generator(torch.randn(batch, self.code))
            on_real, on_fake = self.critic(real), self.critic(fake.detach())
            loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
            loss.backward()
            optimizers[self.critic].step()
            _ = loss.item(), on_real.mean().item(), on_fake.mean().item()
            optimizers[self.generator].zero_grad()
            if not reuse:
                fake = self.generator(torch.randn(batch, self.code))
            self.critic.requires_grad_(False)
            loss = F.softplus(-self.critic(fake)).mean()
            loss.backward()
            self.critic.requires_grad_(True)
            optimizers[self.generator].step()
            _ = loss.item()
        return (time.perf_counter() - start) / steps

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for net in (self.generator, self.critic) for parameter in net.parameters())


def dcgan() -> Pair:
    """Return a DCGAN. Radford et al. 2016."""
    generator = nn.Sequential(
        *(nn.Linear(CODE, 64 * 7 * 7, bias=False), nn.Unflatten(1, (64, 7, 7)), nn.BatchNorm2d(64), nn.ReLU(inplace=True)),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
        *(nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid()),
    )
    critic = nn.Sequential(
        *(nn.Conv2d(1, 32, 5, 2, 2), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Conv2d(32, 64, 5, 2, 2, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Flatten(), nn.Linear(64 * 7 * 7, 1)),
    )
    return Pair(generator, critic, CODE)


def perceptrons() -> Pair:
    """Return networks that cost next to nothing."""
    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
    return Pair(generator, nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1)), 2)


def measure() -> dict[str, Any]:
    """Alternate the loops."""
    return {
        "dcgan": _measure(DCGAN, dcgan(), IMAGE, BATCH, STEPS),
        "small": _measure(SMALL, perceptrons(), VECTOR, SMALL_BATCH, SMALL_STEPS),
    }


def _measure(parts: dict[str, Any], pair: Pair, space: Real, batch: int, steps: int) -> dict[str, Any]:
    loss = {"type": "gan/adversarial", "objective": "non_saturating", "critic": parts["critic"]}
    prior = {"type": "core/normal", "shape": [pair.code]}
    composed = setup.model({"decoder": parts["decoder"], "prior": prior, "loss": loss}, space)
    counts = {"genframe": sum(parameter.numel() for parameter in composed.parameters()), "by hand": pair.size}
    print("parameters " + ", ".join(f"{way} {count:,}" for way, count in counts.items()))
    x = torch.rand(64 * batch, *space.shape)
    spec = TrainSpec(steps=steps, batch_size=batch, lr=RATE, betas=BETAS, log_every=steps, device="cpu")
    ways = {
        "genframe": setup.Framework(spec, composed, setup.dataset(space, x)).seconds,
        "by hand": lambda: pair.seconds(x, batch, steps),
        "by hand, fakes used twice": lambda: pair.seconds(x, batch, steps, reuse=True),
    }
    return {"parameters": counts, **compare(ways, "by hand", PAIRS)}
