"""Curves as SVG: which metrics, in which frame, on which scale."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from genframe_report.curves import Chart, Curve, charts, logged_once
from genframe_report.plot import TRAINING, VALIDATION, svg

ROWS = [
    {"step": 10.0, "stage": 0.0, "loss": 5.0, "elbo": -5.0, "lr": 1.0, "seconds": 1.0},
    {"step": 10.0, "stage": 0.0, "validation/loss": 6.0},
    {"step": 20.0, "stage": 0.0, "loss": 4.0, "elbo": -4.0, "lr": 0.5, "seconds": 2.0},
    {"step": 20.0, "stage": 0.0, "validation/loss": 5.5},
    {"step": 30.0, "stage": 1.0, "loss": 3.0, "lr": 0.25, "seconds": 3.0},
    {"step": 30.0, "stage": 1.0, "fit/components": 20.0},
]


def chart(*values: float, steps: list[float] | None = None) -> Chart:
    """Return a chart of one curve through the values."""
    points = zip(steps or [float(step) for step in range(1, len(values) + 1)], values, strict=True)
    return Chart("loss", (Curve("training", tuple(points)),))


def test_a_chart_for_each_metric() -> None:
    """Training and validation share one; losses come first, the learning rate last; the clock is not a metric."""
    found = charts(ROWS)
    assert [each.metric for each in found] == ["loss", "elbo", "lr"]
    assert [(curve.name, curve.points) for curve in found[0].curves] == [
        ("training", ((10.0, 5.0), (20.0, 4.0), (30.0, 3.0))),
        ("validation", ((10.0, 6.0), (20.0, 5.5))),
    ]
    assert [each.unit for each in found] == ["", "nats", ""]
    assert found[0].stages == (20.0,)
    assert logged_once(ROWS) == {"fit/components": 20.0}


def test_points_lie_where_their_values_say() -> None:
    """On a linear scale a value half way between two others is drawn half way between them."""
    drawn = svg(chart(0.0, 5.0, 10.0), "c")
    found = re.findall(r"[ML]([\d.]+) ([\d.]+)", str(ElementTree.fromstring(drawn).find("g/path").get("d")))  # type: ignore[union-attr]
    (x0, y0), (x1, y1), (x2, y2) = [(float(x), float(y)) for x, y in found]
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert y0 > y2, "up is more"


def test_equal_ratios_are_equal_distances_on_a_logarithmic_scale() -> None:
    """A metric that falls through decades is drawn on a logarithmic scale, and the chart says so."""
    falling = chart(1000.0, 100.0, 10.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert falling.logarithmic
    assert falling.remark() == "Logarithmic scale."
    found = re.findall(r"[ML][\d.]+ ([\d.]+)", str(ElementTree.fromstring(svg(falling, "c")).find("g/path").get("d")))  # type: ignore[union-attr]
    first, second, third, fourth = map(float, found[:4])
    assert second - first == pytest.approx(third - second, abs=0.11) == pytest.approx(fourth - third, abs=0.11)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([100.0, 90.0, 80.0, 75.0], id="a small span"),
        pytest.param([5.0, 1.0, 0.0, -1.0], id="not positive"),
        pytest.param([1.0, 0.9, 0.6, 0.3, 0.001], id="most values are far from the bottom"),
    ],
)
def test_other_metrics_are_linear(values: list[float]) -> None:
    """A logarithm is for what a linear scale would hide."""
    assert not chart(*values).logarithmic


def test_a_wild_start_leaves_the_frame_and_that_is_said() -> None:
    """Where the first tenth of training would fill most of the frame, the rest is shown, and how far the start went."""
    values = [500.0, *(-100.0 - step / 10 for step in range(99))]
    wild = chart(*values)
    low, high = wild.limits
    assert low < -109.8
    assert high < -90
    assert wild.remark() == "The first steps, as far as 500, leave the frame."


def test_what_is_not_finite_breaks_the_line() -> None:
    """NaN and infinity are no point, and those on both sides are not joined."""
    for bad in (math.nan, math.inf, 1e308):
        path = str(ElementTree.fromstring(svg(chart(1.0, 2.0, bad, 2.0, 1.0), "c")).find("g/path").get("d"))  # type: ignore[union-attr]
        assert (path.count("M"), path.count("L")) == (2, 2)
        assert "nan" not in path
        assert "inf" not in path
    assert charts([{"step": 1.0, "loss": math.nan}, {"step": 2.0, "loss": math.nan}]) == []


def test_long_curves_keep_their_peaks() -> None:
    """Of ten thousand points a few hundred are drawn, the greatest and the least among them."""
    values = [math.sin(step) for step in range(10_000)]
    values[1234], values[7777] = 50.0, -50.0
    long = svg(Chart("loss", (Curve("training", tuple(enumerate(values, 1))),)), "c")
    shown = svg(Chart("loss", (Curve("training", ((1, 0.0), (1235, 50.0), (7778, -50.0), (10_000, 0.0))),)), "c")
    heights = [sorted({float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", text)}) for text in (long, shown)]
    assert heights[0][0] == heights[1][0]
    assert heights[0][-1] == heights[1][-1]
    assert len(long) < 12_000


def test_a_chart_says_in_words_what_it_shows() -> None:
    """Title and description are those of the picture, for who cannot see it; the axes are labelled."""
    image = ElementTree.fromstring(svg(charts(ROWS)[0], "c"))
    assert image.get("role") == "img"
    named = {child.get("id"): child.text for child in image}
    title, description = (named[name] for name in str(image.get("aria-labelledby")).split())
    assert title == "loss: training and validation"
    assert str(description).startswith("training from 5 at step 10 to 3 at step 30, lowest 3 at step 30; validation from 6")
    texts = [element.text for element in image.iter("text")]
    assert {"step", "loss", "training", "validation", "stage 2"} <= set(texts)
    unit = ElementTree.fromstring(svg(charts(ROWS)[1], "c"))
    assert "elbo (nats)" in [element.text for element in unit.iter("text")]


def test_odd_curves_are_drawn_all_the_same() -> None:
    """Constant values, a single step, values beyond any use."""
    for values in ([2.0, 2.0], [0.0, 0.0], [1e-300, 1e-300], [-1e299, 1e299], [5e-324, 1.0, 5e-324]):
        ElementTree.fromstring(svg(chart(*values), "c"))
    ElementTree.fromstring(svg(chart(1.0, 2.0, steps=[0.0, 0.0]), "c"))
    ElementTree.fromstring(svg(chart(1.0, 2.0, steps=[1.0, 1e30]), "c"))


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, WCAG 2.2."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("paper", ["#ffffff", "#1c1f25"])
@pytest.mark.parametrize("line", [TRAINING, VALIDATION])
def test_lines_stand_out_on_light_and_dark(line: str, paper: str) -> None:
    """Contrast is at least 3 to 1, WCAG 2.2 success criterion 1.4.11."""
    dark, light = sorted([luminance(line), luminance(paper)])
    assert (light + 0.05) / (dark + 0.05) >= 3
