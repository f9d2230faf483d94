"""The metrics without their specs: the examples of their docstrings, the exports, and features by a function of one's own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

import genframe_metrics
from genframe import ModelSpec, Real, Split, compose
from genframe.testing import check_docstrings, require_conformance
from genframe_metrics import Extractor, FrechetMetric, TwoSampleMetric, frechet_distance, two_sample

NORMAL = {"encoder": "core/identity", "decoder": "core/identity", "prior": "core/normal", "loss": "core/nll"}


def normal(name: str, seed: int) -> Split:
    """Return 150 draws of N(0, I) in the plane."""
    return Split(name, torch.randn(150, 2, generator=torch.Generator().manual_seed(seed)))


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, given a model and its data, and each public class shows its use."""
    model = compose(ModelSpec.model_validate(NORMAL), Real((2,)))
    given = {"model": model, "test": normal("test", 1), "train": normal("train", 2)}
    require_conformance(check_docstrings(genframe_metrics, given))


def test_metrics_are_loaded_when_they_are_used() -> None:
    """Importing the package imports no torch; asking for a metric does; a misspelled name is an AttributeError."""
    code = (
        "import sys, genframe_metrics as metrics; assert 'torch' not in sys.modules;"
        "metrics.mmd; assert 'torch' in sys.modules; assert 'mmd' in dir(metrics) and not hasattr(metrics, 'mdm')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_features_by_a_function_of_ones_own() -> None:
    """A metric takes any function as features: its name is in the results, its stamp in theirs."""
    model = compose(ModelSpec.model_validate(NORMAL), Real((2,)))
    test, train = normal("test", 1), normal("train", 2)
    metric = FrechetMetric(Extractor("cubes", lambda x: x**3, {"power": 3}), n=100)
    found, of_data = metric.measure(model, test, train=train)
    assert (found.name, of_data.name) == ("fd(cubes)", "fd_of_data(cubes)")
    assert found.stamp["features"] == {"name": "cubes", "power": 3}
    plain = FrechetMetric(n=100).measure(model, test, train=train)[0]
    assert plain.value != pytest.approx(found.value)


@pytest.mark.parametrize("function", [frechet_distance, two_sample])
def test_a_distance_of_tensors_is_the_one_of_the_metric(function: Any) -> None:
    """The functions of plain tensors, in single precision too, are what the metrics compute."""
    x, y = normal("x", 3).stored, normal("y", 4).stored
    metric = {"frechet_distance": FrechetMetric(), "two_sample": TwoSampleMetric()}[function.__name__]
    (expected,) = metric.compare(x.double(), y.double(), torch.Generator().manual_seed(0)).values()
    found = function(x, y, **({"generator": torch.Generator().manual_seed(0)} if function is two_sample else {}))
    assert getattr(found, "value", found) == pytest.approx(expected.value)
