"""How well splines fit points in the plane: genframe's recipe beside zuko's NSF of as many parameters and steps."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import torch
from torch import Tensor

import genframe
from genframe import Dataset, ExperimentSpec, Run
from genframe.experiment.document.loading import read_experiment

TOYS = ("moons", "rings", "checkerboard")
ASSIGNMENTS = ("evaluate.metrics=[]", "train.validate_every=null")


def measure() -> dict[str, Any]:
    """Return the test log-likelihoods in nats, with standard errors, of both on each distribution."""
    return {toy: _measure(toy) for toy in TOYS}


def _measure(toy: str) -> dict[str, Any]:
    spec = read_experiment("spline-moons", [f"data.name={toy}", *ASSIGNMENTS]).spec
    data = spec.data.load()
    test = data.split("test").batch(slice(None)).x
    run = genframe.train(spec, data=data)
    table = {"genframe": _figures(_ours(run, test), run.model.parameters())}
    if importlib.util.find_spec("zuko") is not None:
        table["zuko"] = _zuko(spec, data, test)
    for name, row in table.items():
        print(f"{toy:<14} {name:<10} {row['parameters']:>8,} parameters   {row['nats']:.4f} ± {row['error']:.4f} nats")
    return table


def _ours(run: Run, test: Tensor) -> Tensor:
    with genframe.evaluating(run.model):
        return run.model.log_prob(test).nats


def _figures(nats: Tensor, parameters: Any) -> dict[str, float]:
    error = float(nats.std() / math.sqrt(len(nats)))
    return {"parameters": sum(p.numel() for p in parameters), "nats": float(nats.double().mean()), "error": error}


def _zuko(spec: ExperimentSpec, data: Dataset, test: Tensor) -> dict[str, float]:
    """Train zuko's flow by the recipe's steps, batches and learning rates."""
    import zuko

    train = spec.train
    torch.manual_seed(train.seed)
    flow = zuko.flows.NSF(2, transforms=3, bins=8, hidden_features=(64, 64))
    optimizer = torch.optim.AdamW(flow.parameters(), lr=train.lr, fused=True, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, train.steps)
    split = data.split("train")
    for _ in range(train.steps):
        loss = -flow().log_prob(split.training_batch(torch.randint(len(split), (train.batch_size,))).x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return _figures(flow().log_prob(test), flow.parameters())
