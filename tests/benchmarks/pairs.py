"""Comparing two ways of doing the same on a noisy machine: alternate, and look at the ratios of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from statistics import median, quantiles
from typing import Any

__all__ = ["compare"]


def compare(ways: Mapping[str, Callable[[], float]], reference: str, pairs: int = 15) -> dict[str, Any]:
    """Alternate between all ways and return each one's median seconds and its ratio to ``reference``, with quartiles.

    Every way returns the seconds that a step took. The first round warms up and does not count. Rounds go through the ways in
    orders of their own, so that none always follows the same.
    """
    order = Random(0)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for pair in range(pairs + 1):
        for name in order.sample(list(ways), len(ways)):
            seconds = ways[name]()
            if pair:
                times[name].append(seconds)
    table = {}
    for name, seconds in times.items():
        ratios = [own / other for own, other in zip(seconds, times[reference], strict=True)]
        low, _, high = quantiles(ratios, n=4)
        table[name] = {"microseconds": 1e6 * median(seconds), "ratio": median(ratios), "quartiles": [low, high]}
        print(f"{name:<28} {1e6 * median(seconds):>10.1f} µs   {median(ratios):.3f} of {reference} ({low:.3f} to {high:.3f})")
    return {"pairs": pairs, "reference": reference, **table}
