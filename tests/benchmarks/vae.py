"""A small VAE (784-512-512-2×16, batch 128) by genframe, by hand, and by pythae where it is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Dataset, Real
from genframe.training.settings import TrainSpec

from . import setup
from .pairs import compare

STEPS, BATCH, DIM, RATE = 40, 128, 16, 1e-3
SPACE = Real((1, 28, 28), 0, 1, levels=2)
SPEC = {
    "encoder": {"type": "vae/gaussian", "dim": DIM, "network": {"type": "nets/mlp", "hidden": [512, 512]}},
    "decoder": {"type": "vae/bernoulli", "network": {"type": "nets/mlp", "hidden": [512, 512]}},
    "loss": "vae/elbo",
}


class ByHand(nn.Module):
    """The same layers and the same maths, with nothing around them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU(), nn.Linear(512, 2 * DIM))
        self.decoder = nn.Sequential(nn.Linear(DIM, 512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU(), nn.Linear(512, 784))

    def forward(self, x: Tensor) -> Tensor:
        """Return minus the evidence lower bound, averaged over the batch."""
        flat = x.flatten(1)
        mean, log_variance = self.encoder(flat).chunk(2, 1)
        latent = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        distortion = F.binary_cross_entropy_with_logits(self.decoder(latent), flat, reduction="none").sum(1)
        rate = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return (rate + distortion).mean()


def binarised(stored: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return grey levels as draws of black and white."""
    return torch.bernoulli(stored.float().div(255), generator=generator)


def by_hand(net: ByHand, x: Tensor) -> float:
    """Train by hand."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, fused=True, weight_decay=0.0)
    batches = torch.randperm(len(x)).split(BATCH)[:STEPS]
    start = time.perf_counter()
    for indices in batches:
        batch = binarised(x[indices], None)
        optimizer.zero_grad()
        loss = net(batch)
        loss.backward()
        optimizer.step()
        loss.item()
    return (time.perf_counter() - start) / STEPS


def train_spec(**fields: Any) -> TrainSpec:
    """Return the settings of both loops."""
    return TrainSpec.model_validate(
        {"steps": STEPS, "batch_size": BATCH, "lr": RATE, "log_every": STEPS, "device": "cpu", **fields}
    )


def images(count: int = 20_000) -> Tensor:
    """Return grey images, mostly black, as those of handwriting are."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(count, 1, 28, 28, generator=generator).pow(4) * 255).to(torch.uint8)


def measure() -> dict[str, Any]:
    """Alternate the loops, then measure peak memory in fresh processes."""
    x = images()
    data: Dataset = setup.dataset(SPACE, x, binarised)
    composed = setup.model(SPEC, SPACE)
    net = ByHand()
    counts = [sum(p.numel() for p in module.parameters()) for module in (composed, net)]
    print(f"parameters: genframe {counts[0]:,}, by hand {counts[1]:,}")
    ways = {
        "genframe": setup.Framework(train_spec(), composed, data).seconds,
        "genframe, compiled": setup.Framework(train_spec(compile="on"), setup.model(SPEC, SPACE), data).seconds,
        "genframe, bfloat16": setup.Framework(train_spec(precision="bfloat16"), setup.model(SPEC, SPACE), data).seconds,
        "by hand": lambda: by_hand(net, x),
    }
    if importlib.util.find_spec("pythae") is not None:
        from . import pythae_peer

        peer = pythae_peer.Peer(x, STEPS, BATCH, DIM, RATE)
        print(f"parameters: pythae {peer.parameters:,}")
        ways["pythae's trainer"] = peer.seconds
    return {**compare(ways, "by hand"), "parameters": counts, "peak_memory": _peak_memory()}


def _peak_memory() -> dict[str, float]:
    """Return the peak resident MiB of each loop in a process of its own, and their ratio."""
    peaks = {}
    for name in ("genframe", "by hand"):
        command = [sys.executable, "-m", "tests.benchmarks.vae", name]
        peaks[name] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    peaks["ratio"] = peaks["genframe"] / peaks["by hand"]
    print(f"peak memory: genframe {peaks['genframe']:.0f} MiB, by hand {peaks['by hand']:.0f} MiB, ratio {peaks['ratio']:.3f}")
    return peaks


def _alone(name: str) -> None:
    """Train by one loop and print this process's peak resident memory in MiB."""
    x = images()
    if name == "genframe":
        framework = setup.Framework(train_spec(), setup.model(SPEC, SPACE), setup.dataset(SPACE, x, binarised))
        framework.seconds()
        framework.seconds()
    else:
        net = ByHand()
        by_hand(net, x)
        by_hand(net, x)
    print(setup.peak_memory())


if __name__ == "__main__":
    _alone(sys.argv[1])
