"""The marks on modes, over ten seeds: pytest -m slow -s plugins/genframe-gan/tests/test_gan_modes.py prints the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genframe import evaluate, train
from genframe.experiment.document.loading import read_experiment


def figures(recipe: str, seed: int, folder: Path) -> dict[str, float]:
    """Return what the recipe's metrics say of a run under ``seed``, and print it as a row."""
    run = train(read_experiment(recipe, [f"train.seed={seed}"]).spec, folder=folder / "run")
    found: dict[str, Any] = {result.name: result.value for result in evaluate(run).results}
    names = ("modes", "high_quality", "reverse_kl")
    print(f"| {recipe} | {seed} |", " | ".join(f"{found[name]:.4g}" for name in names), "|")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_grid_has_every_mode_in_equal_shares(seed: int, tmp_path: Path) -> None:
    """By PacGAN's protocol every seed reaches all modes, 95 % of its samples near one, divergence at most 0.02 nats."""
    found = figures("gan-grid25", seed, tmp_path)
    assert found["modes"] == 25
    assert found["high_quality"] >= 0.95
    assert found["reverse_kl"] <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ring_has_every_mode(seed: int, tmp_path: Path) -> None:
    """By the same protocol every seed reaches all modes of the ring."""
    assert figures("gan-ring8", seed, tmp_path)["modes"] == 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_plain_game_shares_modes_worse(seed: int, tmp_path: Path) -> None:
    """The plain non-saturating game, on the same networks for as many steps, misses the mark in every seed."""
    found = figures("gan-grid25-plain", seed, tmp_path)
    assert found["reverse_kl"] > 0.02 or found["high_quality"] < 0.95 or found["modes"] < 25
