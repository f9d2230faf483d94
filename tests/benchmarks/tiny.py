"""The loop with two players, and with a denoiser: networks so small that the loop and the loss count, beside loops by hand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Real, TrainSpec

from . import setup
from .pairs import compare

STEPS, WARMUP, BATCH, RATE, CLIP, DECAY, LOG = 400, 10, 16, 1e-3, 1.0, 0.99, 100
ROWS, DIMS, LATENT, HIDDEN, TIME = 4096, 8, 4, 8, 128
MLP = {"type": "nets/mlp", "hidden": [HIDDEN]}
GAN = {"decoder": MLP, "prior": {"type": "core/normal", "shape": [LATENT]}, "loss": {"type": "gan/adversarial", "critic": MLP}}
DIFFUSION = {
    "encoder": {"type": "diffusion/vp", "schedule": "cosine"},
    "decoder": {"type": "diffusion/denoiser", "network": {**MLP, "time": True}},
    "loss": "diffusion/denoising",
    "sampler": "diffusion/ddim",
}


class Hand:
    """What loops by hand do as genframe does: AdamW, clipping, schedule, weight average, finite losses, and logging."""

    def __init__(self, players: Iterable[Iterable[nn.Parameter]]) -> None:
        self.players = [list(parameters) for parameters in players]
        self.optimizers = [torch.optim.AdamW(own, lr=RATE, fused=True, weight_decay=0.0) for own in self.players]
        self.all = [parameter for own in self.players for parameter in own]
        self.average = [parameter.detach().clone() for parameter in self.all]
        self.log: list[Tensor] = []

    def move(self, number: int, step: int, loss: Tensor) -> None:
        """Move a player by the gradient of its loss."""
        own, optimizer = self.players[number], self.optimizers[number]
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(own, CLIP)
        assert math.isfinite(loss.item())
        assert math.isfinite(norm.item())
        share = (step + 1) / WARMUP if step < WARMUP else 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))
        for group in optimizer.param_groups:
            group["lr"] = RATE * share
        optimizer.step()
        self.log += [loss.detach(), norm]

    def end(self, step: int, *metrics: Tensor) -> None:
        """Average the weights, and read the log where a line is due."""
        torch._foreach_lerp_(self.average, self.all, 1 - DECAY)
        self.log += metrics
        if (step + 1) % LOG == 0:
            torch.stack([value.float().reshape(()) for value in self.log]).tolist()
            self.log = []


def order() -> list[Tensor]:
    """Return STEPS batches of indices."""
    batches: list[Tensor] = []
    while len(batches) < STEPS:
        batches += torch.randperm(ROWS).split(BATCH)
    return batches[:STEPS]


def gan_by_hand(x: Tensor) -> float:
    """Train the two players with the metrics that genframe reports; return the seconds of a step."""
    generator = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, DIMS))
    critic = nn.Sequential(nn.Linear(DIMS, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))
    hand = Hand([critic.parameters(), generator.parameters()])
    start = time.perf_counter()
    for step, rows in enumerate(order()):
        real = x[rows]
        with torch.no_grad():
            fake = generator(torch.randn(BATCH, LATENT))
        of_real, of_fake = critic(real), critic(fake)
        metrics = [of_real.mean().detach(), of_fake.mean().detach(), spread(fake) / spread(real).clamp_min(1e-30)]
        metrics.append(0.5 * ((of_real > 0).float().mean() + (of_fake < 0).float().mean()))
        hand.move(0, step, F.softplus(-of_real).mean() + F.softplus(of_fake).mean())
        fake, norm = generator(torch.randn(BATCH, LATENT)), torch.zeros(())
        fake.register_hook(_filling(norm))
        for parameter in hand.players[0]:
            parameter.requires_grad = False
        loss = F.softplus(-critic(fake)).mean()
        for parameter in hand.players[0]:
            parameter.requires_grad = True
        hand.move(1, step, loss)
        hand.end(step, *metrics, norm)
    return (time.perf_counter() - start) / STEPS


def _filling(norm: Tensor) -> Callable[[Tensor], None]:
    def fill(gradient: Tensor) -> None:
        norm.copy_(torch.linalg.vector_norm(gradient, dim=1).sum())

    return fill


def spread(x: Tensor) -> Tensor:
    """Return the mean distance between a row of the first half and one of the second."""
    half = len(x) // 2
    distances: Tensor = torch.linalg.vector_norm(x[:half] - x[half : 2 * half], dim=1)
    return distances.mean()


class Timed(nn.Module):
    """The same perceptron as genframe's, which reads a time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(DIMS, HIDDEN), nn.Linear(HIDDEN, DIMS)
        self.film = nn.Linear(TIME, 2 * HIDDEN)
        self.embedding = nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.register_buffer("frequencies", torch.exp(torch.arange(0, TIME, 2) * (-math.log(1e4) / TIME)))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return (B, D), (B,) -> (B, D)."""
        angles = time[:, None] * self.frequencies
        scale, shift = self.film(F.silu(self.embedding(torch.cat((angles.sin(), angles.cos()), 1)))).chunk(2, 1)
        h = self.first(x)
        predicted: Tensor = self.last(F.silu(torch.addcmul(h + shift, h, scale)))
        return predicted


def diffusion_by_hand(x: Tensor) -> float:
    """Train a denoiser on the cosine schedule; return the seconds of a step."""
    network = Timed()
    hand = Hand([network.parameters()])
    start = time.perf_counter()
    for step, rows in enumerate(order()):
        clean = x[rows]
        noise, times = torch.randn_like(clean), torch.rand(BATCH)
        angle = times.double() * (0.5 * math.pi)
        noisy = angle.cos().float()[:, None] * clean + angle.sin().float()[:, None] * noise
        loss = (network(noisy, 1000 * times) - noise).square().flatten(1).mean(1).mean()
        hand.move(0, step, loss)
        hand.end(step, loss.detach())
    return (time.perf_counter() - start) / STEPS


def measure() -> dict[str, Any]:
    """Compare both with their loops by hand."""
    x = torch.rand(ROWS, DIMS)
    settings = TrainSpec(
        steps=STEPS,
        batch_size=BATCH,
        lr=RATE,
        schedule="cosine",
        warmup=WARMUP,
        clip=CLIP,
        ema=DECAY,
        log_every=LOG,
        device="cpu",
    )
    space = Real((DIMS,))
    tables = {}
    for name, spec, by_hand in (("gan", GAN, gan_by_hand), ("diffusion", DIFFUSION, diffusion_by_hand)):
        framework = setup.Framework(settings, setup.model(spec, space), setup.dataset(space, x))
        ways: dict[str, Callable[[], float]] = {
            f"genframe, tiny {name}": framework.seconds,
            "by hand, same features": lambda by_hand=by_hand: by_hand(x),  # type: ignore[misc]
        }
        tables[name] = compare(ways, "by hand, same features")
    return tables
