"""Distributions in the plane, each from its formula.

Moons as scikit-learn's ``make_moons``; rings, checkerboard, spirals, pinwheel and eight_gaussians by the formulas of
Grathwohl et al. 2019 (FFJORD); grid25 and ring8 as Lin et al. 2018 (PacGAN), sec. 4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

__all__ = ["TOYS", "Toy2d", "draw"]

Points: TypeAlias = NDArray[np.floating[Any]]
Classes: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Toy2d:
    """The points (N, 2) without noise, given their classes (N,), and the usual standard deviation of the noise."""

    classes: int
    noise: float
    place: Callable[[Classes, RandomState], Points]


def draw(toy: Toy2d, n: int, noise: float | None, seed: int) -> tuple[Points, Classes]:
    """Return ``n`` points (n, 2) and their classes (n,), every class as likely as any other."""
    stream = RandomState(seed)
    classes = stream.randint(toy.classes, size=n).astype(np.int64)
    clean = toy.place(classes, stream)
    return clean + (toy.noise if noise is None else noise) * stream.standard_normal((n, 2)), classes


def _polar(radius: Points | float, angle: Points) -> Points:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def moons(classes: Classes, stream: RandomState) -> Points:
    """Two half circles of radius 1, the second turned and put to (1, 1/2)."""
    half = _polar(1.0, np.pi * stream.random_sample(len(classes)))
    return np.where(classes[:, None] == 0, half, np.array([1.0, 0.5]) - half)


def rings(classes: Classes, stream: RandomState) -> Points:
    """Four circles around the origin, of radius 3/4, 3/2, 9/4 and 3."""
    return _polar(0.75 * (classes + 1), 2 * np.pi * stream.random_sample(len(classes)))


def checkerboard(classes: Classes, stream: RandomState) -> Points:
    """The eight dark squares, of side 2, of a board from -4 to 4."""
    column, row = classes // 2, classes % 2
    corner = 2.0 * np.stack([column, 2 * row + column % 2], axis=1) - 4
    return corner + 2 * stream.random_sample((len(classes), 2))


def spirals(classes: Classes, stream: RandomState) -> Points:
    """Two arms that wind one and a half times, to radius pi, each the other turned by half a turn."""
    turn = 3 * np.pi * np.sqrt(stream.random_sample(len(classes)))
    arm = np.stack([-np.cos(turn) * turn, np.sin(turn) * turn], axis=1) + 0.5 * stream.random_sample((len(classes), 2))
    return np.where(classes[:, None] == 0, arm, -arm) / 3


def pinwheel(classes: Classes, stream: RandomState) -> Points:
    """Five blades: normal points (2 + 0.6 a, 0.2 b), turned the more the farther out they lie."""
    blade = stream.standard_normal((len(classes), 2)) * [0.3, 0.1] + [1.0, 0.0]
    turn = 2 * np.pi * classes / 5 + 0.25 * np.exp(blade[:, 0])
    cos, sin = np.cos(turn), np.sin(turn)
    return 2 * np.stack([blade[:, 0] * cos + blade[:, 1] * sin, blade[:, 1] * cos - blade[:, 0] * sin], axis=1)


def eight_gaussians(classes: Classes, stream: RandomState) -> Points:
    """Eight points on a circle of radius 2 sqrt(2)."""
    return _polar(2 * np.sqrt(2), 2 * np.pi * classes / 8)


def grid25(classes: Classes, stream: RandomState) -> Points:
    """The 25 points of the grid {-4, -2, 0, 2, 4}²."""
    return 2.0 * np.stack([classes // 5, classes % 5], axis=1) - 4


def ring8(classes: Classes, stream: RandomState) -> Points:
    """Eight points on the unit circle."""
    return _polar(1.0, 2 * np.pi * classes / 8)


TOYS: Final = {
    "moons": Toy2d(2, 0.1, moons),
    "rings": Toy2d(4, 0.08, rings),
    "checkerboard": Toy2d(8, 0.0, checkerboard),
    "spirals": Toy2d(2, 0.1, spirals),
    "pinwheel": Toy2d(5, 0.0, pinwheel),
    "eight_gaussians": Toy2d(8, 0.5 / np.sqrt(2), eight_gaussians),
    "grid25": Toy2d(25, 0.05, grid25),
    "ring8": Toy2d(8, 0.01, ring8),
}
