"""What moving latents did to the examples: the distance from the originals, changed verdicts, and what stayed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genframe import Real

__all__ = ["Average", "Moved", "distances", "manifold_distance", "measured", "spread_of", "with_residual"]


@dataclass(frozen=True)
class Average:
    """A mean over ``n`` examples, with its standard error; NaN without examples."""

    value: float
    error: float
    n: int

    @classmethod
    def of(cls, values: Tensor) -> Average:
        """Return the mean of values (N,)."""
        values = values.double()
        n = len(values)
        return cls(float(values.mean()), float(values.std() / math.sqrt(n)) if n > 1 else math.nan, n)

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.2g}" if self.n else "-"


@dataclass(frozen=True)
class Moved:
    """What one strength did to the examples.

    ``distance`` from the originals: root mean square over dimensions, as a share of the range of values. ``flipped``: the share
    of examples whose verdict changed. A positive strength is measured on examples that were not of the class, a negative one on
    those that were, zero on all. ``kept``: the share of examples whose nearest original, except their own, has the same label
    of another attribute.
    """

    strength: float
    distance: Average
    flipped: Average | None = None
    kept: Average | None = None


def distances(x: Tensor, y: Tensor, space: Real) -> Tensor:
    """Return the root mean square difference, as a share of the range of values: (N, data), (N, data) -> (N,)."""
    return (x - y).flatten(1).double().square().mean(1).sqrt() / _range(space)


def spread_of(x: Tensor, space: Real) -> float:
    """Return the median distance between two examples, in the unit of :func:`distances`."""
    flat = x.flatten(1).double()
    return float(torch.pdist(flat).median()) / math.sqrt(flat.shape[1]) / _range(space) if len(flat) > 1 else math.nan


def _range(space: Real) -> float:
    return space.high - space.low if space.low is not None and space.high is not None else 1.0


def with_residual(x: Tensor, moved: Tensor, reconstructed: Tensor, space: Real) -> Tensor:
    """Add to (N, data) what the move to (N, S, data) changed in the reconstructions (N, data), within bounds.

    What the latents leave out of an example stays unchanged. If they leave out nothing, the result is ``moved``.
    """
    made = x.unsqueeze(1) + moved - reconstructed.unsqueeze(1)
    return made if space.low is None or space.high is None else made.clamp(space.low, space.high)


def measured(
    x: Tensor,
    moved: Tensor,
    strengths: Sequence[float],
    space: Real,
    *,
    verdicts: tuple[Tensor, Tensor] | None = None,
    classes: Tensor | None = None,
) -> list[Moved]:
    """Return the averages of each strength: (N, data), (N, S, data).

    ``verdicts`` says of each original and of each moved example whether a classifier puts it into the class: (N,), (N, S) of
    bool. ``classes`` (N,) are the labels of an attribute that should stay.
    """
    rows = []
    for column, strength in enumerate(strengths):
        flipped = None
        if verdicts is not None:
            before, after = verdicts[0], verdicts[1][:, column]
            of = torch.ones_like(before) if strength == 0 else before == (strength < 0)
            flipped = Average.of((after != before)[of])
        kept = None if classes is None else Average.of(_nearest_classes(moved[:, column], x, classes) == classes)
        rows.append(Moved(strength, Average.of(distances(moved[:, column], x, space)), flipped, kept))
    return rows


def _nearest_classes(moved: Tensor, x: Tensor, classes: Tensor) -> Tensor:
    """Return the class of the nearest original to each moved example, without its own: (N, data) -> (N,)."""
    apart = torch.cdist(moved.flatten(1).double(), x.flatten(1).double())
    return classes[apart.fill_diagonal_(math.inf).argmin(1)]


def manifold_distance(features: Tensor, reference: Tensor) -> Tensor:
    """Return the distance from each row to the nearest row of a reference: (N, D), (M, D) -> (N,)."""
    return torch.cdist(features.double(), reference.double()).amin(1)
