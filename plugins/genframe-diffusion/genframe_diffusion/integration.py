"""Ordinary differential equations, integrated for each example with steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import torch
from torch import Tensor

from genframe import NonFiniteError

__all__ = ["integrate"]

Slope: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# Dormand & Prince 1980, table 2: of order 5, with an embedded solution of order 4.
NODES: Final = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES: Final = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR: Final = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
SAFETY, LEAST_FACTOR, MOST_FACTOR = 0.9, 0.2, 5.0
MOST_STEPS: Final = 10_000


def integrate(slope: Slope, y: Tensor, start: float, end: float, *, tolerance: float, first: float = 0.01) -> Tensor:
    """Return the solution of dy/du = slope(u, y) at ``end`` from ``y`` at ``start``: (n, D) -> (n, D).

    Each row takes the steps that keep its own error below ``tolerance`` · (1 + |y|) in root mean square, so that
    it does not depend on the others. ``first`` is the first step's share of the way; ``slope`` gets u as (n,).

    :raises NonFiniteError: where the equation leads to NaN or infinity, or cannot be solved within 10,000 steps.
    """
    u = torch.full((len(y),), start, dtype=torch.float64, device=y.device)
    step = torch.full_like(u, (end - start) * first)
    last = slope(u, y)
    for _ in range(MOST_STEPS):
        left = end - u
        step = torch.where(step.abs() > left.abs(), left, step)
        slopes = [last]
        for node, weights in zip(NODES[1:], STAGES[1:], strict=True):
            reached = y + _combined(step, weights, slopes)
            slopes.append(slope(u + node * step, reached))
        error = _combined(step, ERROR, slopes) / (tolerance * (1 + torch.maximum(y.abs(), reached.abs())))
        norm = error.double().square().mean(1).sqrt()
        if not bool(torch.isfinite(norm).all()):
            raise NonFiniteError("the flow's equation led to NaN or infinity; train longer, or take a fixed grid of steps")
        taken = norm <= 1
        u = torch.where(taken, u + step, u)
        y, last = (torch.where(taken[:, None], new, old) for new, old in ((reached, y), (slopes[-1], last)))
        if bool(((end - u).abs() <= 1e-12 * abs(end - start)).all()):
            return y
        step = step * (SAFETY * norm.clamp(min=1e-10) ** -0.2).clamp(LEAST_FACTOR, MOST_FACTOR)
    raise NonFiniteError(f"the flow's equation took more than {MOST_STEPS} steps; allow a greater tolerance")


def _combined(step: Tensor, weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    """Return step · sum of weights · slopes: (n, D)."""
    terms = [weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight]
    return step.to(terms[0].dtype)[:, None] * torch.stack(terms).sum(0)
