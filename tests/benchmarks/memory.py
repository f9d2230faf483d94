"""What memory: constant costs and saves: peak memory by depth, a step's time, and how far gradients are from ordinary ones.

Peaks are of fresh processes, whole: interpreter, torch, data, parameters and optimizer included.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

import torch
from torch import Tensor

from genframe import Model, Real

from . import setup
from .pairs import compare

MEMORIES = ("ordinary", "constant")
DEPTHS = (4, 32)
RATE = 1e-3
STEPS = 3
NETWORKS: dict[str, dict[str, Any]] = {
    "vector": {"type": "nets/mlp", "hidden": [256, 256], "activation": "silu", "zero": True},
    "image": {"type": "nets/isotropic", "channels": 32, "activation": "silu", "zero": True},
}
SPACES = {"vector": Real((64,)), "image": Real((3, 32, 32))}
BATCHES = {"vector": 16384, "image": 256}


def model(kind: str, depth: int, memory: str) -> Model:
    """Return RealNVP of vectors with ``depth`` couplings, or Glow of images with as many steps in two scales."""
    flow: dict[str, Any] = {"type": "flow/realnvp", "couplings": depth}
    if kind == "image":
        flow = {"type": "flow/glow", "scales": 2, "steps": depth // 2}
    flow |= {"network": NETWORKS[kind], "memory": memory}
    return setup.model({"encoder": flow, "decoder": "core/inverse", "loss": "core/nll"}, SPACES[kind])


class Training:
    """A model, data and an optimizer by hand, so that nothing but the flow counts."""

    def __init__(self, kind: str, depth: int, memory: str) -> None:
        self.model = model(kind, depth, memory)
        self.x = torch.randn(BATCHES[kind], *SPACES[kind].shape)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, fused=True)

    def step(self) -> None:
        """Make a step."""
        self.optimizer.zero_grad()
        loss(self.model, self.x).backward()
        self.optimizer.step()

    def seconds(self) -> float:
        """Return the seconds of a step, of several."""
        start = time.perf_counter()
        for _ in range(STEPS):
            self.step()
        return (time.perf_counter() - start) / STEPS


def loss(flow: Model, x: Tensor) -> Tensor:
    """Return the mean negative log-density."""
    return -flow.log_prob(x).nats.mean()


def measure() -> dict[str, Any]:
    """Measure peaks, times and gradients, for vectors and for images."""
    return {kind: {"peaks": _peaks(kind), "time": _times(kind), "gradients": _gradients(kind)} for kind in SPACES}


def _peaks(kind: str) -> dict[str, Any]:
    """Return the peak resident MiB by memory and depth, and the ratio of the depths."""
    table: dict[str, Any] = {}
    for memory in MEMORIES:
        shallow, deep = (_alone_elsewhere(kind, depth, memory) for depth in DEPTHS)
        ratio = deep["peak"] / shallow["peak"]
        table[memory] = {"depths": DEPTHS, "peaks": [shallow, deep], "ratio": ratio}
        print(
            f"{kind}, {memory}: depth {DEPTHS[0]} {shallow['peak']:.0f} MiB, depth {DEPTHS[1]} {deep['peak']:.0f} MiB, "
            f"ratio {ratio:.3f}; before the first step {shallow['before']:.0f} and {deep['before']:.0f} MiB, of them "
            f"parameters {shallow['parameters']:.1f} and {deep['parameters']:.1f} MiB, four times that with their "
            "gradients and Adam's state"
        )
    return table


def _alone_elsewhere(kind: str, depth: int, memory: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.memory", kind, str(depth), memory, str(torch.get_num_threads())]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def _alone(kind: str, depth: int, memory: str, threads: int) -> dict[str, float]:
    """Make two steps and return this process's peak resident memory, before them and after, and its parameters, in MiB."""
    torch.set_num_threads(threads)
    training = Training(kind, depth, memory)
    before = setup.peak_memory()
    for _ in range(2):
        training.step()
    size = sum(parameter.nbytes for parameter in training.model.parameters()) / 2**20
    return {"before": before, "peak": setup.peak_memory(), "parameters": size}


def _times(kind: str) -> dict[str, Any]:
    """Alternate steps of both at depth 8 and, for vectors, the batch of 512 of the benchmarks of flows."""
    ways = {memory: Training(kind, 8, memory) for memory in MEMORIES}
    for way in ways.values():
        way.x = way.x[: 512 if kind == "vector" else 16]
    print(f"{kind}: a step at depth 8")
    return compare({memory: way.seconds for memory, way in ways.items()}, "ordinary", pairs=11)


def _gradients(kind: str) -> dict[str, float]:
    """Return the median and the largest relative distance of a constant model's gradients from an ordinary one's of depth 32.

    Of each parameter's gradient after some steps, and beside it how far the ordinary float32 gradient is from float64's.
    """
    training = Training(kind, DEPTHS[1], "ordinary")
    training.x = training.x[:128] @ torch.randn(64, 64) / 8 if kind == "vector" else training.x[:8]
    for _ in range(20):
        training.step()
    constant = model(kind, DEPTHS[1], "constant")
    constant.load_state_dict(training.model.state_dict())
    precise = copy.deepcopy(training.model).double()
    ordinary = _gradient(training.model, training.x)
    distances = {"constant": _gradient(constant, training.x), "float64": _gradient(precise, training.x.double())}
    table: dict[str, float] = {}
    for name, gradient in distances.items():
        off = [float((a - b).norm() / a.norm()) for a, b in zip(ordinary, gradient, strict=True)]
        table |= {f"{name}_median": median(off), f"{name}_largest": max(off)}
        print(f"{kind}: gradients of depth {DEPTHS[1]}, {name} off ordinary: median {median(off):.1e}, largest {max(off):.1e}")
    return table


def _gradient(flow: Model, x: Tensor) -> list[Tensor]:
    """Return the gradient of every parameter that has one, in float64."""
    flow.zero_grad()
    loss(flow, x).backward()
    return [parameter.grad.double() for parameter in flow.parameters() if parameter.grad is not None]


if __name__ == "__main__":
    print(json.dumps(_alone(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
