"""The metrics between two lines of the log."""

from __future__ import annotations

import math

import pytest
import torch

from genframe.training.window import MetricWindow, averages


def test_averages_are_over_the_steps_that_had_the_metric() -> None:
    """A metric that only some steps have is averaged over these; tensors and numbers mix."""
    window = MetricWindow()
    window.add({"loss": torch.tensor(1.0), "rare": 8.0})
    window.add({"loss": torch.tensor([2.0])})
    window.add({"loss": torch.tensor(6.0, dtype=torch.float64)})
    assert averages(window.take()) == {"loss": 3.0, "rare": 8.0}
    assert averages(window.take()) == {}


def test_entries_survive_as_numbers() -> None:
    """A window made of another's entries gives the same averages: what a resumed run logs."""
    window = MetricWindow()
    for value in (0.1, 0.2, 0.7):
        window.add({"loss": torch.tensor(value)})
    again = MetricWindow(window.entries())
    window.add({"loss": torch.tensor(0.4)})
    again.add({"loss": torch.tensor(0.4)})
    assert averages(window.take()) == averages(again.take())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_in_the_mean(bad: float) -> None:
    """One NaN or infinity among many steps cannot be averaged away."""
    window = MetricWindow([{"loss": 1.0}] * 5)
    window.add({"loss": torch.tensor(bad)})
    mean = averages(window.take())["loss"]
    assert math.isnan(mean) if math.isnan(bad) else mean == bad


def test_opposite_infinities_are_nan() -> None:
    """Infinity and minus infinity do not cancel, nor do they raise."""
    assert math.isnan(averages([{"x": math.inf}, {"x": -math.inf}])["x"])
