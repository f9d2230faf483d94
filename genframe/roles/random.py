"""Random generators: those that draw samples, and the state of the global ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import Generator, Tensor

__all__ = ["fork_rng", "generator_for", "normal_like", "random_state", "random_tensors", "restore_random"]


def normal_like(x: Tensor, generator: Generator | None = None) -> Tensor:
    """Return standard normal noise of the shape, type and device of ``x``."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def generator_for(device: torch.device | str, *seeds: int) -> Generator:
    """Return a generator on ``device`` whose stream is a function of all ``seeds`` together."""
    state = 0x9E3779B97F4A7C15
    for seed in seeds:  # splitmix64, so that neighbouring seeds give unrelated streams
        state = (state + seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return Generator(device).manual_seed(state % 2**63)


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's generators, by its name in a checkpoint."""
    tensors = {"rng/torch": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["rng/cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def random_state() -> dict[str, Any]:
    """Return the state of Python's and numpy's generators as JSON."""
    version, internal, gauss = random.getstate()
    name, keys, *rest = cast("tuple[Any, ...]", np.random.get_state(legacy=True))
    return {
        "python_rng": [version, list(internal), gauss],
        "numpy_rng": [name, [int(key) for key in keys], *rest],
    }


def restore_random(tensors: Mapping[str, Tensor], state: Mapping[str, Any], device: torch.device) -> None:
    """Put all generators back into a saved state; a checkpoint of another device lacks this one's, which stays."""
    torch.set_rng_state(tensors["rng/torch"])
    if device.type == "cuda" and "rng/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng/cuda"], device)
    version, internal, gauss = state["python_rng"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy_rng"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))


@contextmanager
def fork_rng(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Give all global generators back as they were; meanwhile they start from ``seed``, if one is given."""
    former = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            if seed is not None:
                torch.manual_seed(seed)
                random.seed(seed)
                np.random.seed(seed % 2**32)
            yield
    finally:
        random.setstate(former[0])
        np.random.set_state(former[1])
