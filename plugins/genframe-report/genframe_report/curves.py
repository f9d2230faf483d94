"""Curves of training: which metrics, their values, and the scale and limits on which a chart shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from genframe.experiment.folder import Row

__all__ = ["Chart", "Curve", "Point", "charts", "drawable", "logged_once"]

MOST_VALUE: Final = 1e300
LOG_RATIO: Final = 30.0  # the least ratio of largest to smallest value for a logarithmic scale
PRESSED: Final = 0.1  # a logarithmic scale needs half of the values in this lowest share of a linear one
START: Final = 0.1  # the share of training whose extremes may leave the frame
UNITS: Final = dict.fromkeys(("nll", "elbo", "iwae", "rate", "distortion"), "nats")
NO_METRICS: Final = {"step", "stage", "seconds"}
PREFIX: Final = "validation/"

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line through points (step, value), in the order of their steps."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Chart:
    """The curves of one metric, and the steps at which later stages of training started."""

    metric: str
    curves: tuple[Curve, ...]
    stages: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """The unit, if the metric's name determines it."""
        return UNITS.get(self.metric, "")

    @property
    def values(self) -> list[float]:
        """All finite values."""
        return [y for curve in self.curves for _, y in curve.points if drawable(y)]

    @property
    def logarithmic(self) -> bool:
        """Whether the values are positive, span a large ratio, and mostly lie at the bottom of a linear scale."""
        low, high = min(self.values), max(self.values)
        return low > 0 and high / low > LOG_RATIO and median(self.values) < low + PRESSED * (high - low)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and greatest value in the frame: all values, unless the start alone would fill most of it."""
        low, high = min(self.values), max(self.values)
        last = max(x for curve in self.curves for x, _ in curve.points)
        later = [y for curve in self.curves for x, y in curve.points if x > START * last and drawable(y)]
        if not self.logarithmic and later and high - low > 4 * (max(later) - min(later)) > 0:
            low, high = min(later), max(later)
        if self.logarithmic:
            return low, high
        margin = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
        return low - margin, high + margin

    def remark(self) -> str:
        """Return what a reader must know to read the chart, or an empty string."""
        low, high = self.limits
        outside = [y for y in self.values if not low <= y <= high]
        if outside:
            return f"The first steps, as far as {max(outside, key=abs):.4g}, leave the frame."
        return "Logarithmic scale." if self.logarithmic else ""

    def summary(self) -> str:
        """Return each curve in words, for readers who cannot see it."""
        return "; ".join(_in_words(curve) for curve in self.curves)


def drawable(value: float) -> bool:
    """Return whether a value can be drawn: it is finite, and does not overflow when it is scaled."""
    return abs(value) < MOST_VALUE


def _in_words(curve: Curve) -> str:
    finite = [point for point in curve.points if drawable(point[1])]
    (first, begin), (last, end) = finite[0], finite[-1]
    lowest = min(finite, key=lambda point: point[1])
    return (
        f"{curve.name} from {begin:.4g} at step {first:,.0f} to {end:.4g} at step {last:,.0f}, "
        f"lowest {lowest[1]:.4g} at step {lowest[0]:,.0f}"
    )


def charts(rows: Sequence[Row]) -> list[Chart]:
    """Return a chart of each metric that was logged more than once: losses first, gradient norms and learning rates last."""
    names = {name.removeprefix(PREFIX) for row in rows for name in row} - NO_METRICS
    stages = _stages(rows)
    found = [Chart(name, tuple(_curves(rows, name)), stages) for name in sorted(names, key=_rank)]
    return [chart for chart in found if any(len(curve.points) > 1 for curve in chart.curves) and chart.values]


def logged_once(rows: Sequence[Row]) -> dict[str, float]:
    """Return the metrics that were logged only once, such as the result of a fit."""
    names = {name for row in rows for name in row} - NO_METRICS
    held = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: values[0] for name, values in sorted(held.items()) if len(values) == 1}


def _rank(name: str) -> tuple[int, str]:
    first, last = name.startswith("loss"), name.startswith(("gradient_norm", "lr"))
    return (0 if first else 2 if last else 1), name


def _curves(rows: Sequence[Row], name: str) -> Iterator[Curve]:
    for label, key in (("training", name), ("validation", PREFIX + name)):
        points = tuple((row["step"], row[key]) for row in rows if key in row)
        if any(drawable(y) for _, y in points):
            yield Curve(label, points)


def _stages(rows: Sequence[Row]) -> tuple[float, ...]:
    """Return the last step before each change of stage."""
    return tuple(before["step"] for before, after in pairwise(rows) if after.get("stage", 0) > before.get("stage", 0))
