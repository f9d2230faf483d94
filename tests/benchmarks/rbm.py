"""A restricted Boltzmann machine (784-500, CD-1, batch 100, 4,000 data) by genframe, by hand and by scikit-learn; chains."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Dataset, Real
from genframe.training.settings import TrainSpec
from genframe_energy.rbm import RestrictedBoltzmannMachine

from . import setup
from .pairs import compare

STEPS, BATCH, VISIBLE, HIDDEN, RATE, MOMENTUM = 40, 100, 784, 500, 0.05, 0.5
CHAINS, SWEEPS = 1000, 10
SETTLE = 0.1
"""Seconds for which threads of scikit-learn's linear algebra may spin after its last call, while others would begin."""
SPACE = Real((1, 28, 28), 0, 1, levels=2)
SPEC = {
    "encoder": "core/identity",
    "decoder": "core/identity",
    "prior": {"type": "energy/rbm", "hidden": HIDDEN},
    "loss": "energy/contrastive_divergence",
    "sampler": "energy/gibbs",
}


class ByHand(nn.Module):
    """The same machine, with nothing around it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(VISIBLE, HIDDEN))
        self.visible_bias, self.hidden_bias = nn.Parameter(torch.zeros(VISIBLE)), nn.Parameter(torch.zeros(HIDDEN))

    def free_energy(self, v: Tensor) -> Tensor:
        """Return it of each datum."""
        return -(v @ self.visible_bias) - F.softplus(torch.addmm(self.hidden_bias, v, self.weight)).sum(1)

    @torch.no_grad()
    def sweep(self, v: Tensor) -> Tensor:
        """Return visible units after a sweep of block Gibbs."""
        logits = torch.addmm(self.hidden_bias, v, self.weight)
        h = torch.rand_like(logits).lt_(logits.sigmoid_())
        logits = torch.addmm(self.visible_bias, h, self.weight.T)
        return torch.rand_like(logits).lt_(logits.sigmoid_())


def by_hand(machine: ByHand, x: Tensor) -> float:
    """Train by hand, watching the reconstruction error as genframe does, and return the seconds of a step."""
    optimizer = torch.optim.SGD(machine.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)
    errors = torch.zeros(())
    start = time.perf_counter()
    for rows in torch.randperm(len(x)).split(BATCH):
        v = x[rows].flatten(1)
        optimizer.zero_grad()
        swept = machine.sweep(v)
        errors += F.mse_loss(v, swept, reduction="sum") / len(v)
        data, chains = machine.free_energy(torch.cat((v, swept))).chunk(2)
        loss = data.mean() - chains.mean()
        loss.backward()
        optimizer.step()
        loss.item()
    errors.item()
    return (time.perf_counter() - start) / STEPS


class Peer:
    """scikit-learn's machine, which trains by one sweep of persistent chains; by default in batches of 10."""

    def __init__(self, x: Tensor, dtype: type[np.floating[Any]] = np.float64, **settings: int) -> None:
        from sklearn.neural_network import BernoulliRBM

        self._machine = BernoulliRBM(HIDDEN, learning_rate=RATE, n_iter=1, random_state=0, **settings)
        self._x = x.flatten(1).numpy().astype(dtype)

    def seconds(self) -> float:
        """Train for an epoch and return its share of each of our steps in seconds."""
        start = time.perf_counter()
        self._machine.fit(self._x)
        seconds = (time.perf_counter() - start) / STEPS
        time.sleep(SETTLE)
        return seconds


def chains_of(sweep: Any, v: Tensor) -> float:
    """Return the seconds of a sweep of many chains."""
    start = time.perf_counter()
    for _ in range(SWEEPS):
        v = sweep(v)
    return (time.perf_counter() - start) / SWEEPS


def train_spec(precision: str) -> TrainSpec:
    """Return the settings of both loops."""
    fields = {"steps": STEPS, "batch_size": BATCH, "optimizer": "sgd", "lr": RATE, "betas": (MOMENTUM, 0.999)}
    return TrainSpec.model_validate({**fields, "log_every": STEPS, "device": "cpu", "precision": precision})


def measure() -> dict[str, Any]:
    """Alternate the loops over an epoch each, then the sweeps."""
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(STEPS * BATCH, 1, 28, 28, generator=generator) < 0.15).float()
    data: Dataset = setup.dataset(SPACE, x)
    composed, machine = setup.model(SPEC, SPACE), ByHand()
    counts = [sum(p.numel() for p in module.parameters()) for module in (composed, machine)]
    print(f"parameters: genframe {counts[0]:,}, by hand {counts[1]:,}; a step of CD-1")
    training = compare(
        {
            "genframe": setup.Framework(train_spec("float32"), composed, data).seconds,
            "genframe, bfloat16": setup.Framework(train_spec("bfloat16"), setup.model(SPEC, SPACE), data).seconds,
            "by hand": lambda: by_hand(machine, x),
            "scikit-learn, its defaults": Peer(x).seconds,
            "scikit-learn, batch 100, single": Peer(x, np.float32, batch_size=BATCH).seconds,
        },
        "by hand",
    )
    prior = composed.prior
    assert isinstance(prior, RestrictedBoltzmannMachine)
    many = x[:CHAINS]
    print(f"a sweep of {CHAINS:,} chains")
    sweeps = compare(
        {
            "genframe": lambda: chains_of(prior.transition, many),
            "by hand": lambda: chains_of(machine.sweep, many.flatten(1)),
        },
        "by hand",
    )
    return {"parameters": counts, "training": training, "sweeps": sweeps}
