"""Toys: each is the distribution that its source says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_moons

from genframe import Categorical, Real
from genframe_data import Toy
from genframe_data.toys import TOYS, draw

N = 20_000


@pytest.mark.parametrize("name", sorted(TOYS))
def test_toys_load(name: str) -> None:
    """Every toy gives finite points in the plane and each of its classes, and the same ones for the same seed."""
    spec = Toy(name=name, n=2000, labels=True)  # type: ignore[arg-type]
    data, again = spec.load(), spec.load()
    train = data.split("train")
    assert data.space == spec.data_space() == Real((2,))
    assert data.condition_space == spec.condition_space() == Categorical((), TOYS[name].classes)
    assert train.condition is not None
    assert train.condition.unique().tolist() == list(range(TOYS[name].classes))
    assert bool(train.stored.isfinite().all())
    assert (train.stored == again.split("train").stored).all()
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 1620, "validation": 180, "test": 200}


@pytest.mark.parametrize(
    ("name", "sigma", "modes"),
    [
        ("grid25", 0.05, {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}),
        ("ring8", 0.01, {(round(np.cos(k * np.pi / 4), 6), round(np.sin(k * np.pi / 4), 6)) for k in range(8)}),
    ],
)
def test_modes_are_pacgans(name: str, sigma: float, modes: set[tuple[float, float]]) -> None:
    """Modes lie where PacGAN's protocol puts them; 98.89 % of points are within three sigma, as a perfect sampler's are."""
    toy = TOYS[name]
    clean, _ = draw(toy, N, 0.0, seed=0)
    assert {(round(x, 6) + 0.0, round(y, 6) + 0.0) for x, y in clean} == modes
    points, _ = draw(toy, N, None, seed=0)
    offset = points - clean
    assert abs(offset.std() - sigma) < 5 * sigma / np.sqrt(4 * N)
    near = (np.linalg.norm(offset, axis=1) < 3 * sigma).mean()
    exact = 1 - np.exp(-9 / 2)
    assert abs(near - exact) < 5 * np.sqrt(exact * (1 - exact) / N)


def test_moons_are_scikit_learns() -> None:
    """Both draw from the same two half circles: their moments agree, and every point of ours lies on one."""
    ours, classes = draw(TOYS["moons"], N, 0.0, seed=0)
    theirs, theirs_classes = make_moons(N, noise=0.0, random_state=0)
    for label in (0, 1):
        mine, other = ours[classes == label], theirs[theirs_classes == label]
        assert np.allclose(mine.mean(0), other.mean(0), atol=0.05)
        assert np.allclose(np.cov(mine.T), np.cov(other.T), atol=0.05)
        centre = (0, 0) if label == 0 else (1, 0.5)
        assert np.allclose(np.linalg.norm(mine - centre, axis=1), 1)


def test_rings_have_four_radii() -> None:
    """Radii 3/4, 3/2, 9/4 and 3, before noise."""
    points, classes = draw(TOYS["rings"], N, 0.0, seed=0)
    assert np.allclose(np.linalg.norm(points, axis=1), 0.75 * (classes + 1))


def test_the_checkerboard_is_on_dark_squares_only() -> None:
    """The sum of a point's square numbers is even, and all eight such squares of the board from -4 to 4 are as likely."""
    points, _ = draw(TOYS["checkerboard"], N, None, seed=0)
    squares = np.floor(points / 2).astype(int)
    assert (squares.sum(1) % 2 == 0).all()
    assert (np.abs(points) <= 4).all()
    counts = np.unique(squares, axis=0, return_counts=True)[1]
    assert len(counts) == 8
    assert (np.abs(counts - N / 8) < 5 * np.sqrt(N / 8)).all()


def test_spirals_are_each_other_turned() -> None:
    """The two arms have opposite means and wind out to radius pi, plus the scatter of at most sqrt(2)/6."""
    points, classes = draw(TOYS["spirals"], N, 0.0, seed=0)
    assert np.allclose(points[classes == 0].mean(0), -points[classes == 1].mean(0), atol=0.1)
    assert np.pi < np.linalg.norm(points, axis=1).max() < np.pi + np.sqrt(2) / 6


def test_pinwheel_blades_are_each_other_turned() -> None:
    """Turned back by its fifth of a circle, every blade has the same mean."""
    points, classes = draw(TOYS["pinwheel"], N, None, seed=0)
    means = []
    for blade in range(5):
        angle = 2 * np.pi * blade / 5
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        means.append(turn @ points[classes == blade].mean(0))
    assert np.allclose(means, means[0], atol=0.08)
    assert np.linalg.norm(means[0]) > 1


def test_eight_gaussians_have_ffjords_scale() -> None:
    """Modes at radius 4 with deviation 1/2, all divided by sqrt(2)."""
    clean, _ = draw(TOYS["eight_gaussians"], N, 0.0, seed=0)
    assert np.allclose(np.linalg.norm(clean, axis=1), 4 / np.sqrt(2))
    assert TOYS["eight_gaussians"].noise == pytest.approx(0.5 / np.sqrt(2))
