"""Reading drawn shapes off samples, beside the same reading of data."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from genframe import Metric, MetricResult, Model, Real, Split, average, stamp
from genframe_data import attributes_right, explained_share

from .protocol import drawn, prepared, samples_in_turn
from .specs import ShapesRead

__all__ = ["ShapesMetric"]


class ShapesMetric(Metric):
    """How much of samples is shapes and, under captions, how much of the captions they show."""

    def __init__(self, spec: ShapesRead) -> None:
        self.spec = spec

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return the figures of samples, and of the data that have the same captions with ``data_`` before their names.

        :raises DataError: if a condition is no caption of data/shapes.
        """
        used = drawn(split, self.spec.n, seed)
        data = prepared(used, seed, model.device)
        samples = samples_in_turn(model, self.spec.n, data, seed)
        captions = data.condition if model.composition.condition is not None else None
        protocol = stamp(self.spec, split, seed, data=len(used), samples=len(samples))
        figures = [(prefix, _figures(model, x, captions)) for prefix, x in (("", samples), ("data_", data.x))]
        return [
            average(f"{prefix}{name}", values, "share", protocol) for prefix, named in figures for name, values in named.items()
        ]


def _figures(model: Model, x: Tensor, captions: Tensor | None) -> dict[str, Tensor]:
    """Return each figure of every picture, by its name: (n, data) -> (n,)."""
    space = cast(Real, model.composition.data)
    low, high = cast(float, space.low), cast(float, space.high)
    x = (x - low) / (high - low)
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
