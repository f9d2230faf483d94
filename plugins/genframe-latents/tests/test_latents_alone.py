"""The metrics without their specs: the examples of their docstrings run, and they are loaded when they are used."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module

import pytest
import torch

import genframe
import genframe_latents

METRICS = import_module("genframe_latents.metrics")
NAMES = {name: getattr(package, name) for package in (genframe, genframe_latents) for name in package.__all__}
EXAMPLES = [test for test in doctest.DocTestFinder().find(METRICS, globs={**NAMES, "torch": torch}) if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name.removeprefix("genframe_latents."))
def test_the_example_runs(example: doctest.DocTest) -> None:
    """What the docstring shows is what happens."""
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not result.failed, "".join(report)


def test_every_metric_has_an_example() -> None:
    """Each public name of the metrics shows its use and is exported by the package."""
    assert {example.name.rpartition(".")[2] for example in EXAMPLES} == set(METRICS.__all__) <= set(genframe_latents.__all__)


def test_metrics_are_loaded_when_they_are_used() -> None:
    """Importing the package imports no torch; asking for a metric does."""
    code = (
        "import sys, genframe_latents as latents; assert 'torch' not in sys.modules;"
        "latents.CodeLengthMetric; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
