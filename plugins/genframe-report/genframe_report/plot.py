"""Charts as SVG, readable on light and dark backgrounds: where curves, axes and labels lie. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from .curves import Chart, Curve, Point, drawable
from .rendering import render

__all__ = ["TRAINING", "VALIDATION", "svg"]

WIDTH, HEIGHT = 380, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 36
INNER, DEEP = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
TRAINING, VALIDATION = "#3b7dd8", "#c8641c"  # contrast of at least 3:1 against white and near black
MOST_POINTS: Final = 400


@dataclass(frozen=True)
class Line:
    """A curve as the template draws it: its path, its colour and dashes, and where its name stands."""

    name: str
    path: str
    x: int

    @property
    def colour(self) -> str:
        """The colour, as CSS writes it."""
        return VALIDATION if self.name == "validation" else TRAINING


@dataclass(frozen=True)
class Tick:
    """A label beside an axis, at a position along it."""

    at: float
    text: str


def svg(chart: Chart, name: str) -> Markup:
    """Return the chart as an SVG element; ``name`` makes its ids unique on the page."""
    frame = _Frame.of(chart)
    count = len(chart.curves)
    keys = [WIDTH - RIGHT - 84 * (count - number) for number in range(count)]
    return render(
        "chart.svg",
        name=name,
        chart=chart,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=LEFT + INNER,
        top=TOP,
        bottom=TOP + DEEP,
        lines=[Line(curve.name, _path(curve, frame), x) for curve, x in zip(chart.curves, keys, strict=True)],
        stages=[frame.x(step) for step in chart.stages],
        x_ticks=[*_x_ticks(frame)],
        y_ticks=[Tick(frame.y(value), f"{value:.4g}") for value in frame.y_values()],
        short=_short,
    )


@dataclass(frozen=True)
class _Frame:
    """The scales of a chart, and where values lie in the picture."""

    first: float
    last: float
    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, chart: Chart) -> _Frame:
        last = max(x for curve in chart.curves for x, _ in curve.points)
        return cls(0.0, max(last, 1.0), *chart.limits, chart.logarithmic)

    def x(self, step: float) -> float:
        return LEFT + INNER * (step - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        share = (self._scaled(value) - self._scaled(self.low)) / (self._scaled(self.high) - self._scaled(self.low))
        return TOP + DEEP * (1 - share)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def y_values(self) -> list[float]:
        return _decades(self.low, self.high) if self.logarithmic else _round_numbers(self.low, self.high, 4)


def _decades(low: float, high: float) -> list[float]:
    """Return the powers of ten between two positive values, at most about five; also 2 and 5 times these if there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    powers = range(first, last + 1, max(1, (last - first) // 4))
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]


def _round_numbers(low: float, high: float, about: int) -> list[float]:
    """Return about ``about`` multiples of 1, 2 or 5 times a power of ten between two values."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _x_ticks(frame: _Frame) -> Iterator[Tick]:
    for step in _round_numbers(frame.first, frame.last, 4):
        if step == round(step):
            yield Tick(frame.x(step), f"{step:,g}" if step < 1e6 else f"{step:.3g}")


def _path(curve: Curve, frame: _Frame) -> str:
    """Return the curve as an SVG path; it breaks where a value is not finite, and a point between two breaks is a dot."""
    words, pen = [], "M"
    for x, y in _thinned(curve.points):
        if not drawable(y):
            pen = "M"
            continue
        words.append(f"{pen}{_short(frame.x(x))} {_short(frame.y(y))}")
        if pen == "M":
            words.append("h0")
        pen = "L"
    return "".join(words)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most about ``MOST_POINTS``: the least and the greatest value of each stretch, so that no peak is lost."""
    if len(points) <= MOST_POINTS:
        return [*points]
    kept: list[Point] = []
    stretch = math.ceil(2 * len(points) / MOST_POINTS)
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        finite = [point for point in part if drawable(point[1])]
        kept += sorted({min(finite, key=lambda p: p[1]), max(finite, key=lambda p: p[1])}) if finite else part[:1]
    return kept


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
