"""Sampling by each method of genframe-diffusion over the bare calls of the same network, with a small U-Net."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

from genframe import Model, Real
from genframe.model import evaluating
from genframe.testing import part
from genframe_diffusion import (
    DDIM,
    DDPM,
    ODE,
    DPMpp2M,
    DPMppSDE,
    Euler,
    EulerAncestral,
    GridWalk,
    Heun,
    PredictorCorrector,
    UniPC,
    Walk,
)

from . import setup
from .pairs import compare

SPACE, BATCH, STEPS, EMPTY_STEPS, PAIRS = Real((3, 32, 32), -1.0, 1.0), 16, 2, 50, 15
SPEC = {
    "encoder": "diffusion/vp",
    "decoder": {"type": "diffusion/denoiser", "network": {"type": "nets/unet", "channels": [32, 64, 64]}},
    "loss": "diffusion/denoising",
    "sampler": "diffusion/ddim",
}
SAMPLERS: tuple[type[GridWalk], ...] = (DDPM, DDIM, Euler, EulerAncestral, Heun, DPMpp2M, DPMppSDE, UniPC, PredictorCorrector)


def measure() -> dict[str, Any]:
    """Alternate each method with as many calls of the bare network, then walk with a network that does nothing."""
    model = setup.model(SPEC, SPACE)
    print(f"parameters: {sum(parameter.numel() for parameter in model.parameters()):,}")
    with evaluating(model):
        results: dict[str, Any] = {"ratio": {spec.type: _ratio(model, spec) for spec in samplers(STEPS)}}
        results["microseconds besides the network"] = {spec.type: _overhead(model, spec) for spec in samplers(EMPTY_STEPS)}
    return results


def samplers(steps: int) -> list[Walk]:
    """Return every method."""
    return [*(sampler(steps=steps) for sampler in SAMPLERS), ODE(tolerance=1e-1, states=2)]


def _ratio(model: Model, spec: Walk) -> dict[str, Any]:
    """Compare walks with the calls of the network alone that they make."""
    network: Any = model.decoder.network
    calls: list[Tensor] = []
    counted = network.register_forward_pre_hook(lambda module, args, named: calls.append(named["time"]), with_kwargs=True)
    _walk(model, spec)
    counted.remove()
    count, x = len(calls), torch.randn(BATCH, *SPACE.shape)

    def bare() -> None:
        for times in calls:
            network(x, time=times)

    print(f"{spec.type}: {count} calls")
    return compare(
        {"walk": lambda: _seconds(lambda: _walk(model, spec)), "network": lambda: _seconds(bare)}, "network", pairs=PAIRS
    )


def _overhead(model: Model, spec: Walk) -> float:
    """Return the microseconds of a call besides the network: the median of walks with one that does nothing."""
    network: Any = model.decoder.network
    calls = [0]

    def idle(x: Tensor, time: Tensor) -> Tensor:
        calls[0] += 1
        return x

    network.forward = idle
    _walk(model, spec)
    count = calls[0]
    found = 1e6 * median(_seconds(lambda: _walk(model, spec)) for _ in range(PAIRS)) / count
    del network.forward
    print(f"{spec.type:<28} {found:>10.1f} µs a call besides the network")
    return found


def _walk(model: Model, spec: Walk) -> None:
    part(spec).draw(model, BATCH, generator=torch.Generator().manual_seed(0))


def _seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
