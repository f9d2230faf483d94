"""Small spaces to try parts in, random data of a space, and whether a tensor is of a space."""

from __future__ import annotations

from typing import Final

import torch
from torch import Generator, Tensor

from ..roles.random import generator_for
from ..types.spaces import Categorical, ContextSpace, Real, Space, format_shape
from ..types.values import Context

__all__ = [
    "CONTEXT",
    "LATENTS",
    "SCALAR",
    "SPACES",
    "arrow",
    "departure",
    "draw",
    "draw_context",
    "every_value",
    "support",
    "unbounded",
]

SPACES: Final[tuple[Space, ...]] = (
    Real((2,)),
    Real((1, 8, 8), 0, 1),
    Real((2,), 0, 1, levels=2),
    Real((2,), 0, 1, levels=17),
    Real((2,), 0, 1, levels=17, dequantised=True),
    Categorical((), 10),
    Categorical((4,), 5),
    Real((6,)),
    Real((1, 8, 8), 0, 1, levels=2),
    Real((1, 8, 8), 0, 1, levels=17, dequantised=True),
    Real((1, 16)),
    Real((2, 4, 4, 4)),
)
LATENTS: Final[tuple[Space, ...]] = (
    Real((6,)),
    Real((4, 4, 4)),
    Real((4, 8)),
    Real((4, 2, 2, 2)),
    Categorical((3,), 5),
)
CONTEXT: Final = ContextSpace(Real((3,)))
SCALAR: Final = Real(())
ENUMERABLE: Final = 4096


def draw(space: Space, n: int, seed: int = 0) -> Tensor:
    """Return ``n`` random values of ``space``: (n, ...); standard normal where it has no bounds, else uniform."""
    generator = generator_for("cpu", seed)
    shape = (n, *space.shape)
    if isinstance(space, Categorical):
        return torch.randint(space.size, shape, generator=generator)
    if space.low is None or space.high is None:
        return torch.randn(shape, generator=generator)
    return space.low + (space.high - space.low) * _unit(space, shape, generator)


def draw_context(space: ContextSpace | None, n: int, seed: int = 0) -> Context | None:
    """Return ``n`` random contexts of ``space``, or ``None`` where there is none."""
    if space is None:
        return None
    vector, sequence = (draw(part, n, seed) if part is not None else None for part in (space.vector, space.sequence))
    return Context(vector, sequence)


def _unit(space: Real, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Return values between 0 and 1: of any size, on the grid, or within the bins of dequantised levels."""
    if space.levels is None or space.dequantised:
        return torch.rand(shape, generator=generator)
    return torch.randint(space.levels, shape, generator=generator) / (space.levels - 1)


def departure(tensor: Tensor, space: Space, n: int) -> str:
    """Return how ``tensor`` departs from a batch of ``n`` values of ``space``, or an empty string."""
    dtype = torch.int64 if isinstance(space, Categorical) else torch.float32
    if tuple(tensor.shape) != (n, *space.shape):
        return f"declared {space}, a batch of {n} has shape {tuple(tensor.shape)}, not {(n, *space.shape)}"
    if tensor.dtype != dtype:
        return f"declared {space}, found {tensor.dtype}, not {dtype}"
    if not bool(torch.isfinite(tensor).all()):
        return f"declared {space}, found values that are not finite"
    return _out_of_range(tensor.detach(), space) if tensor.numel() else ""


def _out_of_range(tensor: Tensor, space: Space) -> str:
    least, most = tensor.min().item(), tensor.max().item()
    low, high = (0, space.size - 1) if isinstance(space, Categorical) else (space.low, space.high)
    if low is None or high is None:
        return ""
    slack = 1e-5 * (high - low)
    if least < low - slack or most > high + slack:
        return f"declared {space}, found values from {least:g} to {most:g}"
    if isinstance(space, Real) and space.discrete and space.levels is not None:
        place = (tensor - low) / (high - low) * (space.levels - 1)
        if bool((place - place.round()).abs().max() > 1e-3):
            return f"declared {space}, found values between the levels"
    return ""


def unbounded(space: Space) -> Space:
    """Return ``space`` without bounds and levels, for results that need its shape and type only."""
    return Real(space.shape) if isinstance(space, Real) else space


def support(space: Space) -> Space:
    """Return where draws of a model of ``space`` lie: a density of continuous values may reach beyond their bounds."""
    return space if space.discrete else unbounded(space)


def every_value(space: Space) -> Tensor | None:
    """Return all values of a discrete space, (N, ...), or ``None`` where they are too many or not countable."""
    size = space.size if isinstance(space, Categorical) else space.levels
    if not space.discrete or size is None or size**space.dims > ENUMERABLE:
        return None
    digits = size ** torch.arange(space.dims)
    codes = torch.arange(size**space.dims)[:, None] // digits % size
    codes = codes.reshape(-1, *space.shape)
    if isinstance(space, Real) and space.low is not None and space.high is not None:
        return space.low + (space.high - space.low) * codes / (size - 1)
    return codes


def arrow(source: Space, target: Space) -> str:
    """Return ``6 to 1×8×8``: the shapes of a map, for messages."""
    return f"{format_shape(source.shape)} to {format_shape(target.shape)}"
