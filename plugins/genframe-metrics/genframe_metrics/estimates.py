"""Statistics of two sets of rows with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import pvariance
from typing import Final

import torch
from torch import Tensor

__all__ = ["FOLDS", "JACKKNIFE", "Estimate", "jackknife", "jackknife_error", "without_each_fold"]

FOLDS: Final = 10
JACKKNIFE: Final = f"jackknife of {FOLDS} blocks"


@dataclass(frozen=True)
class Estimate:
    """A value, and its standard error if it has one.

    >>> x, y = torch.zeros(20, 1), torch.ones(30, 1)
    >>> jackknife(lambda x, y: float(y.mean() - x.mean()), x, y)
    Estimate(value=1.0, standard_error=0.0, note='')
    """

    value: float
    standard_error: float | None = None
    note: str = ""


def without_each_fold(rows: Tensor) -> list[Tensor]:
    """Return masks (n,) of ``rows`` (n, ...) that leave out each tenth in turn."""
    place = torch.arange(len(rows), device=rows.device) % FOLDS
    return [place != left_out for left_out in range(FOLDS)]


def jackknife_error(values: list[float]) -> float:
    """Return the standard error of a statistic from its values without each tenth. Efron & Tibshirani 1993, ch. 11."""
    return math.sqrt((len(values) - 1) * pvariance(values))


def jackknife(statistic: Callable[[Tensor, Tensor], float], x: Tensor, y: Tensor) -> Estimate:
    """Return a statistic of (n, D), (m, D), its error by leaving out each tenth of the rows of both in turn."""
    kept = zip(without_each_fold(x), without_each_fold(y), strict=True)
    return Estimate(statistic(x, y), jackknife_error([statistic(x[of_x], y[of_y]) for of_x, of_y in kept]))
