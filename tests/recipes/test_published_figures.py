"""Slow: the recipes reach the figures that the documentation gives. ``GENFRAME_MNIST`` names the folder with MNIST."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from genframe import evaluate, train
from genframe.experiment.document.loading import read_experiment

pytestmark = pytest.mark.slow

MNIST = os.environ.get("GENFRAME_MNIST")
needs_mnist = pytest.mark.skipif(MNIST is None, reason="GENFRAME_MNIST does not name the folder with MNIST's four files")


def figures(recipe: str, *assignments: str) -> Mapping[str, float]:
    """Train the recipe as it stands and return what it measures."""
    run = train(read_experiment(recipe, assignments).spec)
    return {result.name: result.value for result in evaluate(run).results}


@needs_mnist
def test_vae_mnist() -> None:
    """At most 89.8 nats by 200 importance samples on the test images."""
    assert figures("vae-mnist", f"data.path={MNIST}")["nll"] <= 89.8


@needs_mnist
def test_iwae_mnist() -> None:
    """At most 86.9 nats by 5,000 importance samples on the test images."""
    assert figures("iwae-mnist", f"data.path={MNIST}")["nll"] <= 86.9


@needs_mnist
def test_ae_mnist() -> None:
    """A squared error of at most 3.0 an image, where PCA with 30 components has 13.87."""
    measured = figures("ae-mnist", f"data.path={MNIST}")
    assert measured["squared_error"] <= 3.0
    assert measured["pca_squared_error"] == pytest.approx(13.87, abs=0.01)


def test_ae_gmm_digits() -> None:
    """Samples of the fitted mixture are nearer to the data than samples of N(0, I), by MMD."""
    mixture = figures("ae-gmm-digits")["mmd2"]
    normal = figures("ae-gmm-digits", "model.prior=core/normal", "train.stages=[]", "train.steps=3000")["mmd2"]
    assert mixture < 0.1 * normal
