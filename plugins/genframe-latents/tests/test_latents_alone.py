"""The metrics without their specs: the examples of their docstrings run, and they are loaded when they are used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import genframe_latents
from genframe.testing import check_docstrings, require_conformance


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_latents))


def test_every_metric_is_exported() -> None:
    """Each public name of the metrics can be imported from the package."""
    assert set(import_module("genframe_latents.metrics").__all__) <= set(genframe_latents.__all__)


def test_metrics_are_loaded_when_they_are_used() -> None:
    """Importing the package imports no torch; asking for a metric does."""
    code = (
        "import sys, genframe_latents as latents; assert 'torch' not in sys.modules;"
        "latents.CodeLengthMetric; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
