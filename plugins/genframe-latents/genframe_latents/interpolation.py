"""Paths between latents: straight, along a great circle, or along the geometry of the prior."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Final, Literal, TypeAlias

import torch
from torch import Tensor

from genframe import Context, Model, evaluating

from .latents import ROWS, Latents, from_base, to_base

__all__ = ["Along", "between_pairs", "interpolated", "linear", "spherical"]

Along: TypeAlias = Literal["linear", "spherical", "prior"]
SMALL: Final = 1e-4  # sine of an angle below which a great circle is a line, or is not unique


def linear(a: Tensor, b: Tensor, shares: Tensor) -> Tensor:
    """Return points on the segments from ``a`` to ``b``: (N, latent), (N, latent), (T,) -> (N, T, latent)."""
    share = shares.to(a).view(1, -1, *(1,) * (a.ndim - 1))
    return torch.lerp(a.unsqueeze(1), b.unsqueeze(1), share)


def spherical(a: Tensor, b: Tensor, shares: Tensor) -> Tensor:
    """Return points between ``a`` and ``b`` whose directions follow a great circle and whose lengths change evenly.

    Shoemake 1985; White 2016, sec. 2. Under N(0, I) in many dimensions all lengths are nearly equal. These points are as likely
    as their ends, where points on a segment are too short. Parallel ends, opposite ends and ends at zero are joined by a line.
    Shapes: (N, latent), (N, latent), (T,) -> (N, T, latent).
    """
    flat_a, flat_b, share = a.flatten(1).double(), b.flatten(1).double(), shares.double()[None, :, None]
    length_a, length_b = (flat.norm(dim=1, keepdim=True) for flat in (flat_a, flat_b))
    unit_a, unit_b = flat_a / length_a.clamp_min(1e-30), flat_b / length_b.clamp_min(1e-30)
    angle = (unit_a * unit_b).sum(1).clamp(-1, 1).acos()[:, None, None]  # (N, 1, 1)
    sine = angle.sin()
    weight_a, weight_b = ((part * angle).sin() / sine.clamp_min(1e-30) for part in (1 - share, share))
    direction = weight_a * unit_a[:, None] + weight_b * unit_b[:, None]
    arc = torch.lerp(length_a[:, None], length_b[:, None], share) * direction
    line = torch.lerp(flat_a[:, None], flat_b[:, None], share)
    turned = (sine > SMALL) & (length_a > 0)[:, None] & (length_b > 0)[:, None]
    points = torch.where(turned, arc, line)
    return points.to(a.dtype).reshape(len(a), len(shares), *a.shape[1:])


def between_pairs(
    latents: Latents, x: Tensor, condition: Tensor | None, steps: int, along: Along = "linear"
) -> tuple[Tensor, Tensor]:
    """Return what is decoded along the path from the first to the second example of each pair, without and with the examples.

    Rows 0 and 1 of ``x`` (2 N, data) are a pair, 2 and 3 the next. A path keeps the condition of its first example. Shapes:
    (N, steps, data) and (N, steps + 2, data).

    :raises Unsupported: along a prior without a normal base.
    """
    ends, first = latents.encode(x, condition), None if condition is None else condition[0::2]
    shares = torch.linspace(0, 1, steps, device=x.device)
    made = latents.decode_each(interpolated(latents.model, ends[0::2], ends[1::2], shares, along, first), first)
    return made, torch.cat([x[0::2, None], made, x[1::2, None]], 1)


def interpolated(
    model: Model, a: Tensor, b: Tensor, shares: Tensor, along: Along = "linear", condition: Tensor | None = None
) -> Tensor:
    """Return latents between ``a`` and ``b``: (N, latent), (N, latent), (T,) -> (N, T, latent).

    Along the prior, the ends go to its normal base, a great circle joins them there, and its points come back. For N(0, I) that
    is ``spherical``. For a flow or a diffusion model as prior the path follows the prior's mass.

    :raises Unsupported: along a prior without a normal base.
    """
    if along != "prior":
        return (linear if along == "linear" else spherical)(a, b, shares)
    with evaluating(model):
        context = model.context(condition)
        ends = [_by_rows(to_base, model, end, context) for end in (a, b)]
        path = spherical(ends[0], ends[1], shares)
        repeated = None if context is None else context.repeat_interleave(len(shares))
        return _by_rows(from_base, model, path.flatten(0, 1), repeated).reshape(len(a), len(shares), *a.shape[1:])


def _by_rows(
    call: Callable[[Model, Tensor, Context | None], Tensor], model: Model, rows: Tensor, context: Context | None
) -> Tensor:
    contexts = repeat(None) if context is None else context.split(ROWS)
    return torch.cat([call(model, *part) for part in zip(rows.split(ROWS), contexts, strict=False)])
