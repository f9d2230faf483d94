"""What samples show of the shapes of data/shapes, beside the same of data."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from genframe import Metric, MetricResult, Model, Real, Split, Unsupported, average, stamp
from genframe.types import require_real
from genframe_data import attributes_right, explained_share

from .protocol import drawn, prepared, samples_in_turn

__all__ = ["ShapesMetric"]


class ShapesMetric(Metric):
    """How much of each sample is explained by shapes and, for captions, how much of them the samples show.

    :param n: how many samples.

    >>> metric = ShapesMetric(n=100)  # metric.measure(model, test, train=train) measures a model of data/shapes
    >>> metric.n
    100
    """

    type: ClassVar[str] = "metrics/shapes"

    def __init__(self, n: int = 500) -> None:
        self.n = n

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return the shares of samples, and those of the data with the same captions, as ``data_...``.

        :raises DataError: if a condition is no caption of data/shapes.
        :raises Unsupported: if the data is not bounded.
        """
        used = drawn(split, self.n, seed)
        data = prepared(used, seed, model.device)
        samples = samples_in_turn(model, self.n, data, seed)
        captions = data.condition if model.composition.condition is not None else None
        protocol = stamp(self.type, split, seed, data=len(used), samples=len(samples))
        space = require_real(model.composition.data, self.type)
        shares = [(prefix, _shares(space, x, captions)) for prefix, x in (("", samples), ("data_", data.x))]
        return [
            average(f"{prefix}{name}", values, "share", protocol) for prefix, named in shares for name, values in named.items()
        ]


def _shares(space: Real, x: Tensor, captions: Tensor | None) -> dict[str, Tensor]:
    """Return each share of every picture, by its name: (n, data) -> (n,)."""
    if space.low is None or space.high is None:
        raise Unsupported(f"shapes are read off bounded pictures, found {space}")
    x = (x - space.low) / (space.high - space.low)
    if captions is None:
        return {"explained": explained_share(x)}
    right = attributes_right(x, captions.repeat(-(-len(x) // len(captions)), 1)[: len(x)])
    return {
        "attributes_right": right.mean(1),
        "colour_right": right[:, 0],
        "shape_right": right[:, 1],
        "place_right": right[:, 2],
        "captions_right": (right == 1).all(1),
        "explained": explained_share(x),
    }
