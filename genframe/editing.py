"""Figures about moved data: how far they are from the originals, whose verdict they change, and what stays as it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .spaces import Real

__all__ = ["Figure", "Moved", "distances", "manifold_distance", "moved_figures", "spread_of", "with_residual"]


@dataclass(frozen=True)
class Figure:
    """A mean with its standard error, over ``n`` data; NaN where there are none."""

    value: float
    error: float
    n: int

    @classmethod
    def of(cls, values: Tensor) -> Figure:
        """Return the mean of values (N,)."""
        values = values.double()
        n = len(values)
        return cls(float(values.mean()), float(values.std() / math.sqrt(n)) if n > 1 else math.nan, n)

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.2g}" if self.n else "-"


@dataclass(frozen=True)
class Moved:
    """What became of data at one strength.

    ``flipped``: share whose verdict changed, of those that the strength moves away from their own: at a positive strength the
    data that were not of the class, at a negative one those that were, at zero all. ``distance`` from the originals: root mean
    square over dimensions, as a share of the range of values. ``kept``: share whose nearest original, other than their own, is
    of the same class of another attribute.
    """

    strength: float
    distance: Figure
    flipped: Figure | None = None
    kept: Figure | None = None


def distances(x: Tensor, y: Tensor, space: Real) -> Tensor:
    """Return the root mean square difference, as a share of the range of values: (N, data), (N, data) -> (N,)."""
    return (x - y).flatten(1).double().square().mean(1).sqrt() / _range(space)


def spread_of(x: Tensor, space: Real) -> float:
    """Return the median distance between two of the data, in the unit of :func:`distances`."""
    flat = x.flatten(1).double()
    return float(torch.pdist(flat).median()) / math.sqrt(flat.shape[1]) / _range(space) if len(flat) > 1 else math.nan


def _range(space: Real) -> float:
    return space.high - space.low if space.low is not None and space.high is not None else 1.0


def with_residual(x: Tensor, moved: Tensor, reconstructed: Tensor, space: Real) -> Tensor:
    """Return the data with what the move changed in their reconstructions added, within bounds: (N, data), (N, S, data), ...

    What the latents leave out of a datum stays as it was; where they leave out nothing, it is ``moved``.
    """
    made = x.unsqueeze(1) + moved - reconstructed.unsqueeze(1)
    return made if space.low is None or space.high is None else made.clamp(space.low, space.high)


def moved_figures(
    x: Tensor,
    moved: Tensor,
    strengths: Sequence[float],
    space: Real,
    *,
    verdicts: tuple[Tensor, Tensor] | None = None,
    classes: Tensor | None = None,
) -> list[Moved]:
    """Return the figures of each strength: (N, data), (N, S, data).

    ``verdicts`` says of each original, and of each moved datum, whether a classifier finds it of the class: (N,), (N, S) of
    bool. ``classes`` (N,) are those of an attribute that is to stay.
    """
    rows = []
    for column, strength in enumerate(strengths):
        flipped = None
        if verdicts is not None:
            before, after = verdicts[0], verdicts[1][:, column]
            of = torch.ones_like(before) if strength == 0 else before == (strength < 0)
            flipped = Figure.of((after != before)[of])
        kept = None if classes is None else Figure.of(_nearest_classes(moved[:, column], x, classes) == classes)
        rows.append(Moved(strength, Figure.of(distances(moved[:, column], x, space)), flipped, kept))
    return rows


def _nearest_classes(moved: Tensor, x: Tensor, classes: Tensor) -> Tensor:
    """Return the class of the nearest original to each moved datum, its own left out: (N, data) -> (N,)."""
    apart = torch.cdist(moved.flatten(1).double(), x.flatten(1).double())
    return classes[apart.fill_diagonal_(math.inf).argmin(1)]


def manifold_distance(features: Tensor, reference: Tensor) -> Tensor:
    """Return the distance of each row to the nearest row of a reference: (N, D), (M, D) -> (N,)."""
    return torch.cdist(features.double(), reference.double()).amin(1)
