"""Curves of training as SVG: training and validation of one figure in one small chart, readable on light and dark paper."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from ...markup import Markup, join, tag
from ..folder import Row

__all__ = ["Chart", "Curve", "charts", "single_figures", "svg"]

WIDTH, HEIGHT = 380, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 36
INNER, DEEP = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
TRAINING, VALIDATION = "#3b7dd8", "#c8641c"  # at least 3:1 against white and against near black
MOST_VALUE: Final = 1e300
MOST_POINTS: Final = 400
LOG_RATIO: Final = 30.0  # the least span, of positive figures, for a logarithmic scale
PRESSED: Final = 0.1  # the share of a linear scale below which half of the values would have to lie
START: Final = 0.1  # the share of training whose extremes may leave the frame
UNITS: Final = dict.fromkeys(("nll", "elbo", "iwae", "rate", "distortion"), "nats")
NOT_FIGURES: Final = {"step", "stage", "seconds"}
PREFIX: Final = "validation/"

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line through points (step, value), in the order of their steps."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Chart:
    """One figure: its curves, and the steps at which later stages of training began."""

    figure: str
    curves: tuple[Curve, ...]
    stages: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """The unit, where the figure's name tells it."""
        return UNITS.get(self.figure, "")

    @property
    def values(self) -> list[float]:
        """All finite values."""
        return [y for curve in self.curves for _, y in curve.points if _drawn(y)]

    @property
    def logarithmic(self) -> bool:
        """Whether the values are positive, span much, and would mostly lie at the bottom of a linear scale."""
        low, high = min(self.values), max(self.values)
        return low > 0 and high / low > LOG_RATIO and median(self.values) < low + PRESSED * (high - low)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value in the frame: all, unless the start alone would fill most of it."""
        low, high = min(self.values), max(self.values)
        last = max(x for curve in self.curves for x, _ in curve.points)
        later = [y for curve in self.curves for x, y in curve.points if x > START * last and _drawn(y)]
        if not self.logarithmic and later and high - low > 4 * (max(later) - min(later)) > 0:
            low, high = min(later), max(later)
        if self.logarithmic:
            return low, high
        margin = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
        return low - margin, high + margin

    def remark(self) -> str:
        """Return what must be known to read the chart, or nothing."""
        low, high = self.limits
        outside = [y for y in self.values if not low <= y <= high]
        if outside:
            return f"The first steps, as far as {max(outside, key=abs):.4g}, leave the frame."
        return "Logarithmic scale." if self.logarithmic else ""

    def summary(self) -> str:
        """Return in a sentence each curve's way, for who cannot see it."""
        return "; ".join(_way(curve) for curve in self.curves)


def _drawn(value: float) -> bool:
    """Return whether a value can be drawn: NaN and infinity cannot, nor what overflows when it is scaled."""
    return abs(value) < MOST_VALUE


def _way(curve: Curve) -> str:
    finite = [point for point in curve.points if _drawn(point[1])]
    (first, begin), (last, end) = finite[0], finite[-1]
    lowest = min(finite, key=lambda point: point[1])
    return (
        f"{curve.name} from {begin:.4g} at step {first:,.0f} to {end:.4g} at step {last:,.0f}, "
        f"lowest {lowest[1]:.4g} at step {lowest[0]:,.0f}"
    )


def charts(rows: Sequence[Row]) -> list[Chart]:
    """Return a chart of each figure that was logged more than once: losses first, optimisation last."""
    names = {name.removeprefix(PREFIX) for row in rows for name in row} - NOT_FIGURES
    stages = _stages(rows)
    found = [Chart(name, tuple(_curves(rows, name)), stages) for name in sorted(names, key=_rank)]
    return [chart for chart in found if any(len(curve.points) > 1 for curve in chart.curves) and chart.values]


def single_figures(rows: Sequence[Row]) -> dict[str, float]:
    """Return what was logged but once, such as the outcome of a fit."""
    names = {name for row in rows for name in row} - NOT_FIGURES
    held = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: values[0] for name, values in sorted(held.items()) if len(values) == 1}


def _rank(name: str) -> tuple[int, str]:
    first, last = name.startswith("loss"), name.startswith(("gradient_norm", "lr"))
    return (0 if first else 2 if last else 1), name


def _curves(rows: Sequence[Row], name: str) -> Iterator[Curve]:
    for label, key in (("training", name), ("validation", PREFIX + name)):
        points = tuple((row["step"], row[key]) for row in rows if key in row)
        if any(_drawn(y) for _, y in points):
            yield Curve(label, points)


def _stages(rows: Sequence[Row]) -> tuple[float, ...]:
    """Return the last step before each change of stage."""
    return tuple(before["step"] for before, after in pairwise(rows) if after.get("stage", 0) > before.get("stage", 0))


def svg(chart: Chart, name: str) -> Markup:
    """Return the chart as an SVG element; ``name`` makes its ids unique on the page."""
    frame = _Frame.of(chart)
    title = f"{chart.figure}: {' and '.join(curve.name for curve in chart.curves)}"
    label = chart.figure + (f" ({chart.unit})" if chart.unit else "")
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", chart.summary(), id=f"{name}-desc"),
        tag("clipPath", tag("rect", x=LEFT, y=TOP - 1, width=INNER, height=DEEP + 2), id=f"{name}-frame"),
        tag("text", label, x=4, y=15, font_weight="600"),
        *(_key(curve, number, len(chart.curves)) for number, curve in enumerate(chart.curves)),
        *(_stage(frame.x(step), number) for number, step in enumerate(chart.stages)),
        *_y_axis(frame),
        *_x_axis(frame),
        tag("g", *(_line(curve, frame) for curve in chart.curves), clip_path=f"url(#{name}-frame)", fill="none"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        font_size=11,
        font_family="system-ui, sans-serif",
        fill="currentColor",
        width=WIDTH,
        height=HEIGHT,
    )


@dataclass(frozen=True)
class _Frame:
    """Where values lie in the picture."""

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

    def y_ticks(self) -> list[float]:
        return _decades(self.low, self.high) if self.logarithmic else _round_numbers(self.low, self.high, 4)


def _decades(low: float, high: float) -> list[float]:
    """Return the powers of ten between two positive values, thinned to about five; with 2 and 5 where few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    powers = range(first, last + 1, max(1, (last - first) // 4))
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]


def _round_numbers(low: float, high: float, about: int) -> list[float]:
    """Return about so many multiples of 1, 2 or 5 times a power of ten between two values."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _y_axis(frame: _Frame) -> Iterator[Markup]:
    for value in frame.y_ticks():
        y = _short(frame.y(value))
        yield tag("line", x1=LEFT, x2=LEFT + INNER, y1=y, y2=y, stroke="currentColor", stroke_opacity=0.14)
        yield tag("text", f"{value:.4g}", x=LEFT - 6, y=_short(frame.y(value) + 4), text_anchor="end", fill_opacity=0.75)


def _x_axis(frame: _Frame) -> Iterator[Markup]:
    bottom = TOP + DEEP
    yield tag("line", x1=LEFT, x2=LEFT + INNER, y1=bottom, y2=bottom, stroke="currentColor", stroke_opacity=0.5)
    for step in [tick for tick in _round_numbers(frame.first, frame.last, 4) if tick == round(tick)]:
        anchor = "end" if frame.x(step) > LEFT + INNER - 12 else "middle"  # so that the last is not cut off
        place = {"x": _short(frame.x(step)), "y": bottom + 15, "text_anchor": anchor, "fill_opacity": 0.75}
        yield tag("text", f"{step:,g}" if step < 1e6 else f"{step:.3g}", **place)
    yield tag("text", "step", x=LEFT + INNER / 2, y=bottom + 31, text_anchor="middle", fill_opacity=0.75)


def _stage(x: float, number: int) -> Markup:
    line = tag(
        "line",
        x1=_short(x),
        x2=_short(x),
        y1=TOP,
        y2=TOP + DEEP,
        stroke="currentColor",
        stroke_opacity=0.4,
        stroke_dasharray="2 3",
    )
    at_left = x > LEFT + 0.8 * INNER
    place = {"x": _short(x - 4 if at_left else x + 4), "text_anchor": "end" if at_left else "start"}
    return join(line, tag("text", f"stage {number + 2}", y=TOP + 10, fill_opacity=0.75, **place))


def _style(curve: Curve) -> dict[str, str]:
    if curve.name == "validation":
        return {"stroke": VALIDATION, "stroke_dasharray": "5 3"}
    return {"stroke": TRAINING}


def _key(curve: Curve, number: int, count: int) -> Markup:
    """Return the name of the curve beside a piece of its line, from the right."""
    x = WIDTH - RIGHT - 84 * (count - number)
    line = tag("line", x1=x, x2=x + 20, y1=11, y2=11, stroke_width=2, **_style(curve))
    return join(line, tag("text", curve.name, x=x + 25, y=15, fill_opacity=0.85))


def _line(curve: Curve, frame: _Frame) -> Markup:
    """Return the curve; it breaks where a value is not finite, and a point between two breaks is a dot."""
    words, pen = [], "M"
    for x, y in _thinned(curve.points):
        if not _drawn(y):
            pen = "M"
            continue
        words.append(f"{pen}{_short(frame.x(x))} {_short(frame.y(y))}")
        if pen == "M":
            words.append("h0")
        pen = "L"
    return tag("path", d="".join(words), stroke_width=1.8, stroke_linejoin="round", stroke_linecap="round", **_style(curve))


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most about ``MOST_POINTS``: of each stretch the least and the greatest value, so that no peak is lost."""
    if len(points) <= MOST_POINTS:
        return [*points]
    kept: list[Point] = []
    stretch = math.ceil(2 * len(points) / MOST_POINTS)
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        finite = [point for point in part if _drawn(point[1])]
        kept += sorted({min(finite, key=lambda p: p[1]), max(finite, key=lambda p: p[1])}) if finite else part[:1]
    return kept


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
