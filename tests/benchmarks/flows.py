"""Flows by genframe, by hand, and by normflows, nflows and zuko where they are installed: training and sampling."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from genframe import Model, Real
from genframe.training.settings import TrainSpec

from . import setup
from .by_hand_flows import Glow, RealNvp, Spline
from .flow_peers import Peer, peers
from .pairs import compare

RATE = 1e-3
VECTOR, BATCH, STEPS, DRAWN = 64, 512, 20, 512
IMAGE, IMAGE_BATCH, IMAGE_STEPS, IMAGES_DRAWN = (3, 32, 32), 16, 4, 64
DRAWS = 5  # one after another, as steps of training are


def perceptron(hidden: int) -> dict[str, Any]:
    """Return the networks of couplings."""
    return {"type": "nets/mlp", "hidden": [hidden, hidden], "activation": "relu", "zero": True}


def realnvp(hidden: int) -> dict[str, Any]:
    """Return eight affine couplings."""
    return {"type": "flow/realnvp", "couplings": 8, "scale": "exp", "network": perceptron(hidden)}


SPECS: dict[tuple[str, int], dict[str, Any]] = {  # by flow and hidden width
    ("realnvp", 64): realnvp(64),
    ("realnvp", 128): realnvp(128),
    ("spline", 128): {
        "type": "flow/spline",
        "order": "halves",
        "couplings": 4,
        "bins": 8,
        "bound": 3.0,
        "network": perceptron(128),
    },
    ("glow", 128): {
        "type": "flow/glow",
        "scales": 3,
        "steps": 8,
        "scale": "sigmoid",
        "learned_split": False,
        "network": {"type": "nets/isotropic", "channels": 128, "activation": "relu", "zero": True},
    },
}


def flow(encoder: dict[str, Any], space: Real) -> Model:
    """Return a flow with a standard normal prior, trained by maximum likelihood."""
    return setup.model({"encoder": encoder, "decoder": "core/inverse", "loss": "core/nll"}, space)


def train(
    loss: Callable[[Tensor], Tensor],
    parameters: Iterable[nn.Parameter],
    x: Tensor,
    batch: int,
    steps: int,
    *,
    fused: bool = True,
) -> float:
    """Train by hand and return the seconds of a step."""
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0, fused=fused)
    batches = torch.randperm(len(x)).split(batch)[:steps]
    start = time.perf_counter()
    for indices in batches:
        optimizer.zero_grad()
        value = loss(x[indices])
        value.backward()
        optimizer.step()
        value.item()
    return (time.perf_counter() - start) / steps


@torch.no_grad()
def seconds(draw: Callable[[], object]) -> float:
    """Return the seconds of drawing once, of several times."""
    start = time.perf_counter()
    for _ in range(DRAWS):
        draw()
    return (time.perf_counter() - start) / DRAWS


def measure() -> dict[str, Any]:
    """Alternate training steps, then draws, of the flows."""
    return {f"{name} {hidden}": _measure(name, hidden) for name, hidden in SPECS}


def _measure(name: str, hidden: int) -> dict[str, Any]:
    image = name == "glow"
    space = Real(IMAGE if image else (VECTOR,))
    batch, steps = (IMAGE_BATCH, IMAGE_STEPS) if image else (BATCH, STEPS)
    x = torch.randn(batch * steps, *space.shape)
    hand, others = by_hand(name, hidden), peers(name, hidden)
    composed = [flow(SPECS[name, hidden], space) for _ in range(2)]
    modules = {"genframe": composed[0], "by hand": hand, **{peer: other.module for peer, other in others.items()}}
    counts = {way: sum(parameter.numel() for parameter in module.parameters()) for way, module in modules.items()}
    print(f"{name}, hidden {hidden}: parameters " + ", ".join(f"{way} {count:,}" for way, count in counts.items()))
    return {
        "parameters": counts,
        "training": compare(_training(composed, hand, others, x, batch, steps), "by hand"),
        "sampling": compare(_sampling(composed, hand, others, IMAGES_DRAWN if image else DRAWN), "by hand"),
    }


def by_hand(name: str, hidden: int) -> nn.Module:
    """Return the flow that is written by hand."""
    if name == "realnvp":
        return RealNvp(VECTOR, 8, hidden)
    return Spline(VECTOR, 4, hidden, 8, 3.0) if name == "spline" else Glow(3, 32, 3, 8, hidden)


def _training(
    composed: list[Model], hand: nn.Module, others: dict[str, Peer], x: Tensor, batch: int, steps: int
) -> dict[str, Callable[[], float]]:
    data = setup.dataset(Real(tuple(x.shape[1:])), x)
    settings = {"steps": steps, "batch_size": batch, "lr": RATE, "log_every": steps, "device": "cpu"}

    def framework(model: Model, compiled: str) -> Callable[[], float]:
        return setup.Framework(TrainSpec.model_validate({**settings, "compile": compiled}), model, data).seconds

    def loop(loss: Callable[[Tensor], Tensor], module: nn.Module, *, fused: bool = True) -> Callable[[], float]:
        return lambda: train(loss, list(module.parameters()), x, batch, steps, fused=fused)

    return {
        "genframe": framework(composed[0], "off"),
        "genframe, compiled": framework(composed[1], "on"),
        "by hand": loop(hand, hand),
        **{peer: loop(other.loss, other.module, fused=False) for peer, other in others.items()},
        **{f"{peer}, fused AdamW": loop(other.loss, other.module) for peer, other in others.items()},
    }


def _sampling(composed: list[Model], hand: nn.Module, others: dict[str, Peer], n: int) -> dict[str, Callable[[], float]]:
    for model in composed:
        model.eval()  # as loaded ones are
    ways: dict[str, Callable[[], object]] = {
        "genframe": lambda: composed[0].sample(n),
        "genframe, compiled": lambda: composed[0].sample(n, compile=True),
        "by hand": lambda: hand.sample(n),  # type: ignore[operator]
        **{peer: lambda other=other: other.sample(n) for peer, other in others.items()},  # type: ignore[misc]
    }
    return {way: lambda draw=draw: seconds(draw) for way, draw in ways.items()}  # type: ignore[misc]
